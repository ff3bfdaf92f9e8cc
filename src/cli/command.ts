/** How an option is written. */
export interface OptionSyntax {
  /** The word for its value in the help; none for a switch. */
  readonly value?: string;
  /** Whether the value may be left out. It is given as `--name=VALUE` then. */
  readonly isValueOptional?: boolean;
  /** The values that a shell offers. */
  readonly values?: readonly string[];
}

/** How a command is written. */
export interface CommandSyntax {
  /** By the names without dashes. */
  readonly options: Readonly<Record<string, OptionSyntax>>;
  /** The operands, as the help has them. */
  readonly operands: string;
  /** The values of the operand that a shell offers. */
  readonly values?: readonly string[];
  /** Whether it takes what follows `--` as a command of its own. */
  readonly takesCommand?: boolean;
}

/** A command line, taken apart. */
export interface Invocation {
  /** By name. `true` is an option without a value. */
  readonly options: Readonly<Record<string, string | true>>;
  readonly operands: readonly string[];
  /** What follows `--`, if the command takes one. */
  readonly command: readonly string[];
}

/** The end of a command of "run" by a signal. */
export interface Killed {
  /** As a shell has it: 128 and the number of the signal. */
  readonly status: number;
  readonly signal: NodeJS.Signals;
}

/** Runs a command. Resolves to the exit status. */
export type Run = (invocation: Invocation) => Promise<number | Killed>;

/** Why "run" and "listen" refuse launches. The host sends it to the client. */
export const TAKES_NO_LAUNCHES = 'the command that runs there takes no launches';
export const HAS_NUL = 'an argument has a NUL, which the command there cannot have';

/** The command line is wrong: status 2. */
export class UsageError extends Error {}

/** An error with a status of its own. */
export class StatusError extends Error {
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}
