import { makeInvokeCommand } from "./invoke.ts";
import { makeCommand, runProgram } from "./program.ts";
import { makeServeCommand } from "./serve.ts";

/** The program `local-lambda`. */
export async function localLambda(argv: readonly string[]): Promise<void> {
  const program = makeCommand(
    "local-lambda",
    "A local AWS Lambda: your function's zip under AWS's own runtime client.",
  );
  program.addCommand(makeInvokeCommand()).addCommand(makeServeCommand());
  await runProgram(program, argv);
}
