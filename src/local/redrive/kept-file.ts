import { existsSync } from "node:fs";
import { link, readFile, rm, unlink } from "node:fs/promises";
import { appendLines } from "../lambda/asynchronous/destination.ts";
import { type KeptItem, parseKeptEvent } from "./kept-event.ts";

/**
 * The events in a file of JSON lines. While they are run the file is `PATH.redrive`, so that others can be appended to PATH;
 * what is kept goes back there. However this ends, even killed, every line that was not removed is in one of the two, and the
 * next redrive takes both.
 */
export async function* readKeptFile(path: string): AsyncGenerator<KeptItem, void> {
  const claimed = `${path}.redrive`;
  if (existsSync(claimed)) await giveBack(claimed, path, 0);
  if (!existsSync(path)) return;
  // A rename would replace what another redrive has claimed meanwhile.
  await link(path, claimed);
  await unlink(path);
  let handled = 0;
  try {
    for (const line of await readLines(claimed)) {
      if (line.trim() !== "")
        yield {
          where: `${path}, line ${handled + 1}`,
          read: () => parseKeptEvent(line),
          remove: async () => {}, // with the file
          keep: () => appendLines(path, [line]),
        };
      handled++;
    }
  } finally {
    await giveBack(claimed, path, handled);
  }
}

/** The lines after the first `handled` ones, among them any that was appended while the file was claimed. */
async function giveBack(claimed: string, path: string, handled: number): Promise<void> {
  const rest = (await readLines(claimed)).slice(handled);
  await appendLines(
    path,
    rest.filter((line) => line.trim() !== ""),
  );
  await rm(claimed);
}

async function readLines(path: string): Promise<string[]> {
  return (await readFile(path, "utf8")).split("\n");
}
