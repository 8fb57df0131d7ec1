import { setTimeout as delay } from "node:timers/promises";

/** Lines for stdout and stderr that wait until what was written before them has left the process. */
const waiting: { readonly stream: NodeJS.WriteStream; readonly line: string }[] = [];
let pumping: Promise<void> | undefined;

/**
 * Writes one line, whole and in its turn. Both streams may be the same pipe: when it is full, Node.js keeps what one of them has
 * to say and goes on with part of a line, into which the other must not write.
 */
export function writeLine(stream: NodeJS.WriteStream, line: string): void {
  if (pumping === undefined && isClear()) {
    stream.write(line);
    return;
  }
  waiting.push({ stream, line });
  pumping ??= pump();
}

/**
 * Resolves when every line has left this process, or after `limit` ms: a function that is frozen or ended after its answer would
 * keep or lose it.
 */
export async function flushOutput(limit: number): Promise<void> {
  if (pumping === undefined && isClear()) return;
  const timer = new AbortController();
  const late = delay(Math.max(0, limit), undefined, { signal: timer.signal }).catch(() => {});
  await Promise.race([Promise.resolve(pumping).then(untilClear), late]);
  timer.abort();
}

function isClear(): boolean {
  return process.stdout.writableLength === 0 && process.stderr.writableLength === 0;
}

async function untilClear(): Promise<void> {
  const flushing = [process.stdout, process.stderr]
    .filter(({ writableLength }) => writableLength > 0)
    .map((stream) => new Promise<void>((resolve) => stream.write("", () => resolve())));
  await Promise.all(flushing);
}

async function pump(): Promise<void> {
  for (let next = 0; ; next++) {
    await untilClear();
    const line = waiting[next];
    if (line === undefined) break;
    line.stream.write(line.line);
  }
  waiting.length = 0;
  pumping = undefined;
}
