import type { ChildProcess } from 'node:child_process';
import { invalidOptionError } from '../../interface/errors.ts';
import { checkOptionNames, type OptionNames } from '../../interface/option-names.ts';

/** What starts a host: the program and its arguments, or a function that starts it, and returns it. */
export type Start = StartOptions | (() => ChildProcess);

/** A program that becomes the host. */
export interface StartOptions {
  /** The program, such as `process.execPath`. */
  readonly command: string;
  /**
   * Its arguments.
   * @default []
   */
  readonly args?: readonly string[] | undefined;
  /**
   * Its environment variables.
   * @default process.env
   */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /**
   * Its working directory.
   * @default process.cwd()
   */
  readonly cwd?: string | URL | undefined;
}

const START_NAMES: OptionNames<StartOptions> = { command: true, args: true, env: true, cwd: true };

/** The option `start`. @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function resolveStart(start: unknown): Start | undefined {
  if (start === undefined || isFunction(start)) return start;
  if (typeof start !== 'object' || start === null)
    throw invalidOptionError('start', 'an object with a command, or a function', start);
  checkOptionNames(start, START_NAMES);
  const { command, args = [], env, cwd }: Partial<Record<keyof StartOptions, unknown>> = start;
  if (typeof command !== 'string' || command === '')
    throw invalidOptionError('start.command', 'a non-empty string', command);
  if (!Array.isArray(args) || !args.every((arg) => typeof arg === 'string'))
    throw invalidOptionError('start.args', 'an array of strings', args);
  if (env !== undefined && !isObject(env)) throw invalidOptionError('start.env', 'an object', env);
  if (cwd !== undefined && typeof cwd !== 'string' && !(cwd instanceof URL))
    throw invalidOptionError('start.cwd', 'a string or a URL', cwd);
  return { command, args: [...args], env: env && { ...env }, cwd };
}

// What a function returns is checked when it is called.
function isFunction(value: unknown): value is () => ChildProcess {
  return typeof value === 'function';
}

function isObject(value: unknown): value is NodeJS.ProcessEnv {
  return typeof value === 'object' && value !== null;
}
