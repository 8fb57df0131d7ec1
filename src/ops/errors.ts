/** The error classes, ordered by what the caller must do: correct the input, look at the machine, retry the event. */

abstract class OperationalError extends Error {
  /** Stable word for programs; never changes between versions. */
  abstract readonly code: string;
}

/** A wrong option, variable or argument: stop, correct it, start again. Programs exit with 2. */
export class ConfigurationError extends OperationalError {
  override readonly name = "ConfigurationError";
  readonly code = "ERR_CONFIGURATION";
  /** Every problem found, each naming what, what was expected and what came. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join("; "), options);
    this.problems = problems;
  }
}

/** A part of the local stack cannot start or has gone: the message says what to do. Programs exit with 1. */
export class StackError extends OperationalError {
  override readonly name = "StackError";
  readonly code = "ERR_STACK";
}
