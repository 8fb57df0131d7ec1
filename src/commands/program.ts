import { Command, CommanderError } from "commander";
import { ConfigurationError } from "../ops/errors.ts";

/** Exit codes of every program. */
export const DONE = 0;
export const FAILED = 1;
export const BAD_USAGE = 2;

/** A program or command that reports bad usage with exit code 2. */
export function makeCommand(name: string, description: string): Command {
  return new Command(name).description(description).exitOverride().showHelpAfterError("(add --help for the options)");
}

/** Says on stderr what takes time or went wrong. */
export function say(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

/** Runs a program to its end and sets the exit code; every error becomes one clear line. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<void> {
  try {
    await program.parseAsync(argv, { from: "user" });
    process.exitCode ??= DONE;
  } catch (error) {
    process.exitCode = report(error);
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : BAD_USAGE; // it has spoken already
  if (error instanceof ConfigurationError) {
    for (const problem of error.problems) say(`error: ${problem}`);
    return BAD_USAGE;
  }
  const known = error instanceof Error && "code" in error && String(error.code).startsWith("ERR_");
  say(`error: ${known ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return FAILED;
}

/** For options that are given several times. */
export function collect<T>(value: T, previous: readonly T[] = []): T[] {
  return [...previous, value];
}
