import type { FastifyInstance } from "fastify";
import type { CrashStore } from "../storage/crash-store.ts";
import type { CollectorMetrics } from "./metrics.ts";
import type { Spool } from "./spool.ts";

export interface HealthContext {
  readonly store: CrashStore;
  readonly spool: Spool | undefined;
  readonly metrics: CollectorMetrics;
  readonly version: Readonly<Record<string, string>>;
}

/** How long the bucket may take to answer; ms. */
const ANSWER_LIMIT = 5000;

/**
 * Dockerflow's endpoints and Prometheus's metrics.
 * https://github.com/mozilla-services/Dockerflow
 */
export function addHealthRoutes(app: FastifyInstance, { store, spool, metrics, version }: HealthContext): void {
  app.get("/__version__", () => version);
  app.get("/__lbheartbeat__", (_request, reply) => reply.type("text/plain").send(""));
  app.get("/__heartbeat__", async (_request, reply) => {
    try {
      await store.checkBucket(AbortSignal.timeout(ANSWER_LIMIT));
      return { errors: [], spooled: spool?.size ?? 0 };
    } catch (error) {
      const msg = error instanceof Error ? error.message : String(error);
      return reply.code(503).send({ errors: [{ name: "s3", msg }], spooled: spool?.size ?? 0 });
    }
  });
  app.get("/metrics", async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
}
