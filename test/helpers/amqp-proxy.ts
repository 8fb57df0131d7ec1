import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";

/**
 * Where in a publish a link is cut: before its first frame, within its body, or when the broker has confirmed it, so that the
 * message is in the queue and its sender does not know.
 */
export type Moment = "before" | "during" | "after";

/** A proxy that knows AMQP's frames: type (1 byte), channel (2), length (4), payload, end (1). */
export interface AmqpProxy {
  readonly port: number;
  /** Links taken so far. */
  readonly links: number;
  /** Cuts the link at the next publish, once. */
  cutAt(moment: Moment): void;
  /** From the next confirm on no answer of the broker passes any more; resolves when that has been swallowed. */
  swallowAnswers(): Promise<void>;
  /** Ends every link with a reset; what comes later passes. */
  reset(): void;
}

const METHOD_FRAME = 1;
const BODY_FRAME = 3;
const BASIC_PUBLISH = 0x003c_0028;
const BASIC_ACK = 0x003c_0050;
const PROTOCOL_HEADER = 8;
const OVERHEAD = 8;

/** Stopped after the test. `port`: of a broker on this machine. */
export async function startAmqpProxy(t: Pick<TestContext, "after">, port: number): Promise<AmqpProxy> {
  const links = new Set<Socket>();
  let taken = 0;
  let moment: Moment | undefined;
  let swallowed: (() => void) | undefined;
  let isMute = false;
  const server = createServer((client) => {
    taken++;
    const upstream = connect(port, "127.0.0.1");
    const cut = (): void => {
      moment = undefined;
      client.resetAndDestroy();
      upstream.destroySoon();
    };
    for (const socket of [client, upstream]) {
      links.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        links.delete(socket);
        client.destroy();
        upstream.destroySoon();
      });
    }
    client.on(
      "data",
      splitFrames(PROTOCOL_HEADER, (frame) => {
        if (moment === "before" && isMethod(frame, BASIC_PUBLISH)) return cut();
        if (moment === "during" && frame[0] === BODY_FRAME) {
          upstream.write(frame.subarray(0, frame.length / 2));
          return cut();
        }
        if (upstream.writable) upstream.write(frame);
      }),
    );
    upstream.on(
      "data",
      splitFrames(0, (frame) => {
        if (swallowed !== undefined && isMethod(frame, BASIC_ACK)) {
          isMute = true;
          swallowed();
        }
        if (isMute) return;
        if (moment === "after" && isMethod(frame, BASIC_ACK)) return cut();
        if (client.writable) client.write(frame);
      }),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const reset = (): void => {
    swallowed = undefined;
    isMute = false;
    for (const socket of links) socket.resetAndDestroy();
  };
  t.after(() => {
    reset();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    get links() {
      return taken;
    },
    cutAt: (next) => {
      moment = next;
    },
    swallowAnswers: () =>
      new Promise((resolve) => {
        swallowed = resolve;
      }),
    reset,
  };
}

function isMethod(frame: Buffer, method: number): boolean {
  return frame[0] === METHOD_FRAME && frame.readUInt32BE(7) === method;
}

/** `head`: bytes before the first frame, which pass as they are. */
function splitFrames(head: number, take: (frame: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let passed = head === 0;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      if (!passed && rest.length < head) return;
      const length = passed
        ? rest.length < OVERHEAD
          ? Number.POSITIVE_INFINITY
          : OVERHEAD + rest.readUInt32BE(3)
        : head;
      if (rest.length < length) return;
      passed = true;
      const frame = rest.subarray(0, length);
      rest = rest.subarray(length);
      take(frame);
    }
  };
}
