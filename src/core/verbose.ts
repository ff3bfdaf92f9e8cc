import { inspect } from 'node:util';
import type { SingletonError } from './errors.ts';
import type { VerifyFailure } from './events.ts';

/** What `verbose` prints of a warning, one line on stderr. */
export function printWarning({ code, message, cause }: SingletonError): void {
  const reason = cause instanceof Error ? cause.message : inspect(cause);
  // What a schema says may quote the client.
  const isTold = cause !== undefined && code !== 'ERR_SINGLETON_INVALID_ARGS';
  print(isTold ? `${code}: ${message} Cause: ${reason}` : `${code}: ${message}`);
}

/** What `verbose` prints of a client that did not prove the secret. */
export function printFailure({ reason, remoteAddress = 'an unknown address' }: VerifyFailure): void {
  print(`a client was refused: ${reason}, from ${remoteAddress}`);
}

/** The error of a stderr that nobody reads any more must not end the host; `console.error` lets it. */
function print(line: string): void {
  const { stderr } = process;
  if (!stderr.listeners('error').includes(ignore)) stderr.on('error', ignore);
  stderr.write(`socket-singleton: ${line}\n`);
}

function ignore(): void {}
