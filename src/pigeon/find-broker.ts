import type { BrokerAddress } from "../queue/broker-address.ts";
import type { PigeonConfiguration } from "./configuration.ts";
import { readSecret } from "./secret.ts";

/** The longest that one question for a secret may take; ms. */
const SECRET_LIMIT = 5000;

/** Of RabbitMQ, without TLS and with it. */
const AMQP_PORT = 5672;
const AMQPS_PORT = 5671;

/**
 * Finds the broker of a configuration: secrets are decrypted or fetched when it is asked for the first time, and kept from then
 * on; what failed is asked for again the next time. Rejects with an error that names the variable.
 * @returns `deadline`: ms since the epoch
 */
export function makeBrokerFinder(configuration: PigeonConfiguration): (deadline: number) => Promise<BrokerAddress> {
  const { hosts, user, region, tlsCa: ca, tlsServerName: serverName } = configuration;
  const { port = configuration.tls ? AMQPS_PORT : AMQP_PORT } = configuration;
  const nodes = hosts.map(({ host, port: own }) => ({ host, port: own ?? port }));
  const tls = configuration.tls ? { ca, serverName } : undefined;
  const known = new Map<string, string>();
  const read = async (variable: string, text: string, deadline: number): Promise<string> => {
    const kept = known.get(variable);
    if (kept !== undefined) return kept;
    try {
      const secret = await readSecret(text, region, Math.min(SECRET_LIMIT, deadline - Date.now()));
      known.set(variable, secret);
      return secret;
    } catch (cause) {
      throw new Error(`${variable}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
  };
  return async (deadline) => {
    // Both at once; of two that fail the first is named, whichever has answered first.
    const virtualHost = read("PIGEON_VIRTUAL_HOST", configuration.virtualHost, deadline);
    virtualHost.catch(() => {});
    const password = await read("PIGEON_PASSWORD", configuration.password, deadline);
    return { nodes, user, password, virtualHost: await virtualHost, tls };
  };
}
