import { enableCompileCache } from "node:module";

enableCompileCache();
const { pigeon } = await import("../src/commands/pigeon.ts");
await pigeon(process.argv.slice(2));
