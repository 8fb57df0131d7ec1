import { openAsBlob } from "node:fs";
import { basename, extname } from "node:path";
import type { Command } from "commander";
import { postReport } from "../local/crash-client.ts";
import { ConfigurationError } from "../ops/errors.ts";
import { parsePair } from "./function-options.ts";
import { FAILED, makeCommand, say } from "./program.ts";

interface SendOptions {
  readonly annotation?: readonly [string, string][];
  readonly url: string;
}

/** What a report must have to be one, unless it is given. */
const DEFAULT_ANNOTATIONS = { ProductName: "Sample", Version: "1.0" };

/** `pigeon send`: a crash report from the shell. */
export function makeSendCommand(): Command {
  return makeCommand("send", "post a crash report to a collector and print its answer")
    .argument("<file...>", "dumps: FILE (the first is upload_file_minidump) or NAME=FILE")
    .option(
      "--annotation <NAME=value>",
      "an annotation; may be repeated (default: a sample's product and version)",
      parsePair,
    )
    .option("--url <url>", "where to", "http://127.0.0.1:8000/submit")
    .action(send);
}

async function send(files: readonly string[], { annotation = [], url }: SendOptions): Promise<void> {
  if (!URL.canParse(url)) throw new ConfigurationError([`--url: expected a URL, got ${url}`]);
  const dumps = new Map<string, Blob>();
  for (const file of files) {
    const { name, path } = readName(file, dumps.size === 0);
    dumps.set(name, await openDump(path));
  }
  const annotations = { ...DEFAULT_ANNOTATIONS, ...Object.fromEntries(annotation) };
  const { status, text } = await postReport(url, { annotations, dumps });
  process.stdout.write(`${text}\n`);
  if (status !== 200) say(`error: the collector answered with ${status}`);
  if (status !== 200 || !text.startsWith("CrashID=")) process.exitCode = FAILED;
}

function readName(file: string, isFirst: boolean): { name: string; path: string } {
  const [, given, path] = /^([A-Za-z0-9_]+)=(.+)$/s.exec(file) ?? [];
  if (given !== undefined && path !== undefined) return { name: given, path };
  return { name: isFirst ? "upload_file_minidump" : basename(file, extname(file)), path: file };
}

async function openDump(path: string): Promise<Blob> {
  try {
    return await openAsBlob(path, { type: "application/octet-stream" });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigurationError([`file: expected a readable file, got ${path} (${reason})`], { cause });
  }
}
