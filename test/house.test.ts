/** The import table of design and README: who may import whom, no value cycles, files that stay small. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Each part of src/ and the parts that its files may import; `*` is anything. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  crash: [],
  ops: [],
  storage: ["crash", "ops"],
  queue: ["crash", "ops"],
  collector: ["crash", "ops", "storage"],
  pigeon: ["crash", "ops", "queue"],
  "local/lambda": ["ops"],
  "local/s3": ["ops"],
  "local/broker": ["ops"],
  local: ["*"],
  commands: ["*"],
};

/** Packages that only one part may know. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  amqplib: ["queue"],
  "@aws-sdk/client-s3": ["storage", "local"],
  "@aws-sdk/client-lambda": ["local"],
  "@aws-sdk/lib-storage": ["storage"],
  "@fastify/busboy": ["collector"],
  fastify: ["collector"],
  "@aws-sdk/client-sqs": ["local"],
  fauxqs: ["local/s3"],
  esbuild: ["local"],
};

interface Import {
  readonly from: string;
  /** A file of src/, or the name of a package. */
  readonly to: string;
  readonly isType: boolean;
}

const files = globSync("src/**/*.ts", { cwd: ROOT });

function partOf(file: string): string {
  const path = file.replace(/^src\//, "");
  const parts = Object.keys(MAY_IMPORT).sort((a, b) => b.length - a.length);
  return parts.find((part) => path.startsWith(`${part}/`)) ?? `no part: ${file}`;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), "utf8");
  const pattern = /^(?:import|export)\s+(type\s)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"|\bimport\("([^"]+)"\)/gm;
  return [...text.matchAll(pattern)].map(([, type, named, dynamic]) => {
    const name = named ?? dynamic ?? "";
    const to = name.startsWith(".") ? relative(ROOT, resolve(ROOT, dirname(file), name)) : name;
    return { from: file, to, isType: type !== undefined };
  });
}

const imports = files.flatMap(importsOf);

test("every file belongs to a part", () => {
  assert.deepEqual(
    files.map(partOf).filter((part) => part.startsWith("no part")),
    [],
  );
  assert.ok(imports.length > files.length, "the imports were found");
});

test("no part imports a part outside the table", () => {
  const wrong = imports.filter(({ from, to }) => {
    if (!to.startsWith("src/")) return false;
    const allowed = MAY_IMPORT[partOf(from)] ?? [];
    return partOf(from) !== partOf(to) && !allowed.includes(partOf(to)) && !allowed.includes("*");
  });
  assert.deepEqual(wrong, []);
});

test("a package stays with its owner", () => {
  const wrong = imports.filter(({ from, to, isType }) => !isType && OWNERS[to]?.includes(partOf(from)) === false);
  assert.deepEqual(wrong, []);
});

test("there are no value-import cycles", () => {
  const values = Map.groupBy(
    imports.filter(({ isType, to }) => !isType && to.startsWith("src/")),
    ({ from }) => from,
  );
  const visit = (file: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    for (const { to } of values.get(file) ?? []) {
      const cycle = visit(to, [...path, file]);
      if (cycle !== undefined) return cycle;
    }
    return undefined;
  };
  assert.deepEqual(files.map((file) => visit(file, [])).filter(Boolean), []);
});

test("no file of src/ and bin/ has more than 250 lines", () => {
  const long = [...files, ...globSync("bin/*", { cwd: ROOT })].filter(
    (file) => readFileSync(join(ROOT, file), "utf8").split("\n").length > 251,
  );
  assert.deepEqual(long, []);
});
