/** `npm run bench [-- NAME...]`: each file of bench/ answers one question; all of them, or those that are named. */
import { globSync } from "node:fs";
import { cpus } from "node:os";
import { basename } from "node:path";

const available = globSync("bench/*.ts")
  .map((file) => basename(file, ".ts"))
  .filter((name) => name !== "run")
  .sort();
const wanted = process.argv.length > 2 ? process.argv.slice(2) : available;
const unknown = wanted.filter((name) => !available.includes(name));
if (unknown.length > 0) {
  console.error(`bench: expected ${available.join(", ")}, got ${unknown.join(", ")}`);
  process.exit(2);
}
console.log(`${cpus()[0]?.model ?? "unknown CPU"}, ${cpus().length} cores, Node.js ${process.version}`);
for (const name of wanted) {
  console.log(`\n${name}`);
  await import(`./${name}.ts`);
}
