import { enableCompileCache } from "node:module";

enableCompileCache();
const { localLambda } = await import("../src/commands/local-lambda.ts");
await localLambda(process.argv.slice(2));
