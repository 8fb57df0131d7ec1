import { once } from "node:events";
import { ConfigurationError } from "../../../ops/errors.ts";
import { countsProcessesByNamespace } from "./limits.ts";
import { MemoryGroup } from "./memory-group.ts";
import { AWS_LAYOUT, makePrivateRoot } from "./mounts.ts";
import { NamespaceSandbox } from "./namespace-sandbox.ts";
import { ProcessSandbox } from "./process-sandbox.ts";
import type { Parts, Sandbox } from "./sandbox.ts";

/** What the user asks for: `auto` takes namespaces where the kernel allows them. */
export const ISOLATION_CHOICES = ["auto", "namespace", "process"] as const;
export type IsolationChoice = (typeof ISOLATION_CHOICES)[number];

/** How functions are kept apart from this machine, as far as it allows. */
export interface Isolation {
  readonly kind: "namespace" | "process";
  /** Why it is not more. */
  readonly reason?: string;
}

const MIB = 1024 * 1024;

let probed: Promise<string | undefined> | undefined;

/** Tries it out, once. Rejects with a ConfigurationError where `namespace` is asked for and cannot be had. */
export async function chooseIsolation(choice: IsolationChoice): Promise<Isolation> {
  if (choice === "process") return { kind: "process", reason: "asked for" };
  probed ??= probe();
  const reason = await probed;
  if (reason === undefined) return { kind: "namespace" };
  if (choice === "auto") return { kind: "process", reason };
  throw new ConfigurationError([`isolation: expected user and mount namespaces, this machine refuses them: ${reason}`]);
}

/** One sentence for the person at the terminal: what is in force. */
export function describeIsolation({ kind, reason }: Isolation): string {
  const memory = probeMemoryGroup() ? "enforced by a control group" : "enforced by looking every 25 ms";
  const processes =
    kind === "namespace" && countsProcessesByNamespace() ? "1024 open files, 742 processes" : "1024 open files";
  const limits = `memory ${memory}; ${processes}`;
  if (kind === "namespace")
    return `isolation: namespaces (read-only /var/task, private /tmp of limited size, uid 993); ${limits}`;
  return `isolation: a plain process (${reason}): this user, this machine's files and /tmp; ${limits}`;
}

/** Makes the sandboxes of one function's environments. */
export interface SandboxMaker {
  make(): Sandbox;
  /** After the last sandbox has been released. */
  remove(): Promise<void>;
}

/** `tmpSize` in MB, of the private `/tmp`. */
export async function makeSandboxMaker(isolation: Isolation, parts: Parts, tmpSize: number): Promise<SandboxMaker> {
  if (isolation.kind === "process") return { make: () => new ProcessSandbox(parts), remove: async () => {} };
  const root = await makePrivateRoot(parts, tmpSize);
  return { make: () => new NamespaceSandbox(root), remove: () => root.remove() };
}

function probeMemoryGroup(): boolean {
  const group = MemoryGroup.create(128 * MIB);
  void group?.remove();
  return group !== undefined;
}

/** Undefined when a program runs in a sandbox; else the first line that was said instead. */
async function probe(): Promise<string | undefined> {
  if (process.platform !== "linux") return `there are none on ${process.platform}`;
  // Any directories do: /usr is always there.
  const parts = { taskRoot: "/usr", opt: "/usr", lang: "/usr", runtime: "/usr", sdk: AWS_LAYOUT.sdk, support: "/usr" };
  const root = await makePrivateRoot(parts, 1);
  const sandbox = new NamespaceSandbox(root);
  try {
    const { child, output, telemetry } = sandbox.spawn({ argv: ["/bin/sh", "-c", ":"], environment: {} });
    let said = "";
    output.on("data", (text: Buffer) => {
      said += text;
    });
    telemetry.resume();
    const [code] = (await once(child, "close")) as [number | null];
    return code === 0 ? undefined : said.trim().split("\n")[0] || `exit status ${code}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await sandbox.release();
    await root.remove();
  }
}
