import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { readKeptFile } from "../../../src/local/redrive/kept-file.ts";
import { makeFolder } from "../../helpers/function-zip.ts";

const line = (n: number): string => `{"n":${n}}\n`;
const numbers = (path: string): number[] =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((text) => JSON.parse(text).n);

test("what is kept goes back, what is removed does not, and nothing else is left", async (t) => {
  const path = join(makeFolder(t), "kept.jsonl");
  writeFileSync(path, [0, 1, 2, 3].map(line).join("").trimEnd());
  for await (const item of readKeptFile(path)) {
    assert.ok(!existsSync(path) || numbers(path).length > 0);
    await (JSON.parse(item.read().payload).n % 2 === 0 ? item.remove() : item.keep());
  }
  assert.deepEqual(numbers(path), [1, 3]);
  assert.ok(!existsSync(`${path}.redrive`) && !existsSync(`${path}.redrive.lock`));
});

test("who leaves early leaves the rest", async (t) => {
  const path = join(makeFolder(t), "kept.jsonl");
  writeFileSync(path, [0, 1, 2].map(line).join(""));
  for await (const item of readKeptFile(path)) {
    if (JSON.parse(item.read().payload).n === 1) break;
    await item.remove();
  }
  assert.deepEqual(numbers(path), [1, 2]);
});

test("what is appended meanwhile is there afterwards, also by who had opened the file before", async (t) => {
  const path = join(makeFolder(t), "kept.jsonl");
  writeFileSync(path, line(0));
  const early = openSync(path, "a");
  for await (const item of readKeptFile(path)) {
    writeSync(early, line(1));
    writeFileSync(path, line(2));
    await item.remove();
  }
  closeSync(early);
  assert.deepEqual(numbers(path).sort(), [1, 2]);
});

test("what a redrive that was killed has left is taken first", async (t) => {
  const path = join(makeFolder(t), "kept.jsonl");
  writeFileSync(`${path}.redrive`, `${line(0)}{"torn`);
  writeFileSync(`${path}.redrive.lock`, '{"pid":999999999,"mark":"x"}');
  writeFileSync(path, line(1));
  const seen: string[] = [];
  for await (const item of readKeptFile(path)) {
    try {
      seen.push(item.read().payload.trim());
    } catch {
      seen.push("unreadable");
    }
    await item.keep();
  }
  assert.deepEqual(seen.sort(), ["unreadable", '{"n":0}', '{"n":1}']);
});

test("one that another process has, and one that is not there", async (t) => {
  const path = join(makeFolder(t), "kept.jsonl");
  const items: unknown[] = [];
  for await (const item of readKeptFile(path)) items.push(item);
  assert.deepEqual(items, []);
  const cmdline = readFileSync("/proc/self/cmdline", "utf8").replaceAll("\0", " ");
  writeFileSync(`${path}.redrive.lock`, JSON.stringify({ pid: process.pid, mark: cmdline }));
  await assert.rejects(readKeptFile(path).next(), /another redrive \(process \d+\)/);
});
