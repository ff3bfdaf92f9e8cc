import type { StatusOptions } from '../index.ts';
import { type Invocation, UsageError } from './command.ts';

export function noOperands([first]: readonly string[]): void {
  if (first !== undefined) throw new UsageError(`"${first}" is not expected.`);
}

/** The only operand. */
export function oneOperand([first, second]: readonly string[], name: string): string {
  if (first === undefined) throw new UsageError(`${name} is missing.`);
  if (second !== undefined) throw new UsageError(`"${second}" is not expected after ${name}.`);
  return first;
}

/** `--name=SECONDS` in milliseconds; `true` without a value, `undefined` without the option. */
export function milliseconds(name: string, seconds: string | true | undefined): number | true | undefined {
  if (seconds === undefined || seconds === true) return seconds;
  const value = Number(seconds);
  if (/^[\d.]+$/.test(seconds) && value > 0 && value <= MAX_SECONDS) return Math.ceil(value * 1000);
  throw new UsageError(`--${name} expects a number of seconds above 0, up to ${MAX_SECONDS}, got "${seconds}".`);
}

/** What a timer of Node can wait. */
const MAX_SECONDS = 2_147_483;

export function exitStatus(name: string, value: string | true | undefined): number {
  if (value === undefined) return 0;
  if (/^\d{1,3}$/.test(String(value)) && Number(value) <= 255) return Number(value);
  throw new UsageError(`--${name} expects an integer from 0 to 255, got "${value}".`);
}

/** The options of the library that commands share: what identifies host and client, and how long a client looks for the host. */
export function connectionOptions(
  options: Invocation['options'],
): Pick<StatusOptions, 'secretFile' | 'name' | 'deliveryTimeout'> {
  const { 'secret-file': secretFile, name, timeout } = options;
  const deliveryTimeout = milliseconds('timeout', timeout);
  return {
    ...(typeof deliveryTimeout === 'number' && { deliveryTimeout }),
    ...(typeof secretFile === 'string' && { secretFile }),
    ...(typeof name === 'string' && { name }),
  };
}
