import { connect, type Socket } from "node:net";
import type { BrokerAddress } from "./broker-address.ts";

/**
 * Opens and closes one AMQP 0-9-1 connection, by hand, to learn whether a broker is ready for these credentials.
 *
 * A frame is type (1 byte), channel (2), length (4), payload, end 0xCE; a method's payload is class (2), method (2), arguments.
 * client: "AMQP" 0 0 9 1 | start-ok | tune-ok, open | close
 * server:                | start    | tune          | open-ok
 * https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf
 */

const PROTOCOL_HEADER = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]);
const FRAME_END = 0xce;
const FRAME_OVERHEAD = 8;

/** Methods of class 10, connection. */
const START = 10;
const START_OK = 11;
const TUNE = 30;
const TUNE_OK = 31;
const OPEN = 40;
const OPEN_OK = 41;
const CLOSE = 50;

/** Resolves when the broker has opened the virtual host; rejects with what went wrong, at the latest after `limit` ms. */
export async function openConnection(address: BrokerAddress, limit: number): Promise<void> {
  const socket = connect(address.port, address.host);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.setTimeout(limit, () => reject(new Error(`no answer within ${limit} ms`)));
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("the broker closed the connection")));
      socket.once("connect", () => socket.write(PROTOCOL_HEADER));
      readMethods(socket, (method, args) => {
        if (method === START) socket.write(startOk(address));
        else if (method === TUNE) socket.write(Buffer.concat([frame(TUNE_OK, args), open(address.virtualHost)]));
        else if (method === OPEN_OK) socket.end(frame(CLOSE, Buffer.from([0, 200, 0, 0, 0, 0, 0])), resolve);
        else if (method === CLOSE) reject(new Error(args.toString("utf8", 3, 3 + (args[2] ?? 0))));
      });
    });
  } finally {
    socket.destroy();
  }
}

function readMethods(socket: Socket, receive: (method: number, args: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= FRAME_OVERHEAD) {
      const end = FRAME_OVERHEAD + rest.readUInt32BE(3);
      if (rest.length < end) break;
      if (rest[0] === 1) receive(rest.readUInt16BE(9), rest.subarray(11, end - 1));
      rest = rest.subarray(end);
    }
  });
}

function frame(method: number, args: Buffer): Buffer {
  const head = Buffer.alloc(11);
  head.writeUInt8(1, 0);
  head.writeUInt32BE(4 + args.length, 3);
  head.writeUInt16BE(10, 7);
  head.writeUInt16BE(method, 9);
  return Buffer.concat([head, args, Buffer.from([FRAME_END])]);
}

function startOk({ user, password }: BrokerAddress): Buffer {
  const noProperties = Buffer.alloc(4);
  const response = Buffer.from(`\0${user}\0${password}`);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(response.length);
  return frame(START_OK, Buffer.concat([noProperties, shortString("PLAIN"), length, response, shortString("en_US")]));
}

function open(virtualHost: string): Buffer {
  return frame(OPEN, Buffer.concat([shortString(virtualHost), shortString(""), Buffer.alloc(1)]));
}

function shortString(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
