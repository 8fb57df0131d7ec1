import { existsSync } from "node:fs";
import { type FileHandle, link, open, unlink } from "node:fs/promises";
import { claim } from "../../ops/process-claim.ts";
import { appendLines } from "../lambda/asynchronous/destination.ts";
import { type KeptItem, parseKeptEvent } from "./kept-event.ts";

/**
 * The events in a file of JSON lines. While they are run the file is `PATH.redrive`, so that others can be appended to PATH;
 * what is kept goes back there. However this ends, even killed, every line that was not removed is in one of the two, and the
 * next redrive takes both. `PATH.redrive.lock` lets one redrive at a time do so.
 */
export async function* readKeptFile(path: string): AsyncGenerator<KeptItem, void> {
  const release = await claim(
    `${path}.redrive.lock`,
    (pid) => `${path}: another redrive (process ${pid}) is running its events`,
  );
  try {
    const claimed = `${path}.redrive`;
    if (existsSync(claimed)) await new ClaimedFile(await open(claimed, "r"), claimed, path).giveBack();
    if (!existsSync(path)) return;
    await link(path, claimed);
    await unlink(path);
    yield* new ClaimedFile(await open(claimed, "r"), claimed, path).items();
  } finally {
    await release();
  }
}

/** A file that is read to its end, some of whose lines go back to where it came from. */
class ClaimedFile {
  readonly #file: FileHandle;
  readonly #claimed: string;
  readonly #path: string;
  /** Bytes of the lines that are done with. */
  #handled = 0;

  constructor(file: FileHandle, claimed: string, path: string) {
    this.#file = file;
    this.#claimed = claimed;
    this.#path = path;
  }

  async *items(): AsyncGenerator<KeptItem, void> {
    try {
      const text = await this.#rest();
      let number = 0;
      for (const line of text.match(/[^\n]*\n|[^\n]+/g) ?? []) {
        number++;
        if (line.trim() !== "")
          yield {
            where: `${this.#path}, line ${number}`,
            read: () => parseKeptEvent(line),
            remove: async () => {}, // with the file
            keep: () => appendLines(this.#path, [line.trimEnd()]),
          };
        this.#handled += Buffer.byteLength(line);
      }
    } finally {
      await this.giveBack();
    }
  }

  /** What is not done with goes back, and also what somebody has appended who had opened the file before it was claimed. */
  async giveBack(): Promise<void> {
    try {
      await this.#returnRest();
      await unlink(this.#claimed);
      await this.#returnRest();
    } finally {
      await this.#file.close();
    }
  }

  async #returnRest(): Promise<void> {
    const rest = await this.#rest();
    await appendLines(
      this.#path,
      rest.split("\n").filter((line) => line.trim() !== ""),
    );
    this.#handled += Buffer.byteLength(rest);
  }

  async #rest(): Promise<string> {
    const { size } = await this.#file.stat();
    const bytes = Buffer.alloc(Math.max(0, size - this.#handled));
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await this.#file.read(bytes, length, bytes.length - length, this.#handled + length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.toString("utf8", 0, length);
  }
}
