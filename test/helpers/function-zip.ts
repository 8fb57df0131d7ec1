import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Zippable, zipSync } from "fflate";
import type { InvocationResult } from "../../src/local/lambda/environment/invocation.ts";
import { type FunctionInput, makeFunctionConfiguration } from "../../src/local/lambda/function.ts";
import { LocalLambda, type LocalLambdaOptions } from "../../src/local/lambda/local-lambda.ts";
import { ROOT } from "./program.ts";

/** A folder for the test alone, removed after it. */
export function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "pigeon-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The zip of a function of test/functions. */
export function zipFunction(t: TestContext, name: string): string {
  const source = join(ROOT, "test", "functions", name);
  return writeZip(
    t,
    Object.fromEntries(
      readdirSync(source).map((file) => {
        const { mode } = statSync(join(source, file));
        return [file, [readFileSync(join(source, file)), { os: UNIX, attrs: mode << 16 }]];
      }),
    ),
  );
}

/** The system that wrote a zip, so that its modes count. */
const UNIX = 3;

/** A zip of these files. */
export function writeZip(t: TestContext, files: Zippable): string {
  const path = join(makeFolder(t), "function.zip");
  writeFileSync(path, zipSync({ ...files }));
  return path;
}

/** A local Lambda with a function of test/functions, its log, and a way to invoke it; stopped after the test. */
export interface RunningFunction {
  readonly lambda: LocalLambda;
  readonly log: () => string;
  invoke(event: unknown): Promise<InvocationResult>;
}

export async function startFunction(
  t: TestContext,
  name: string,
  input: FunctionInput = {},
  options: Partial<LocalLambdaOptions> = {},
): Promise<RunningFunction> {
  let log = "";
  const fn = makeFunctionConfiguration({ name, ...input, code: input.code ?? zipFunction(t, name) });
  const lambda = await LocalLambda.start(fn, {
    log: (text) => {
      log += text;
    },
    ...options,
  });
  t.after(() => lambda.kill());
  return { lambda, log: () => log, invoke: (event) => lambda.invoke(Buffer.from(JSON.stringify(event))) };
}
