import { SingletonError } from '../index.ts';
import { StatusError, UsageError } from './command.ts';
import { SIGPIPE_STATUS, statusOfError, USAGE_STATUS } from './exit-status.ts';
import { printError } from './output.ts';
import { isCommandName } from './syntax.ts';
import { inCommandWords } from './wording.ts';

/** Prints an error in one line on stderr. `command` is the first word of the command line. Returns the exit status. */
export function report(error: unknown, command = ''): number {
  const { code, message, status } = describe(error, command);
  printError(code === undefined ? message : `${code}: ${message}`);
  return status;
}

interface Description {
  readonly code?: string;
  readonly message: string;
  readonly status: number;
}

function describe(error: unknown, command: string): Description {
  const { code, message = String(error), cause } = Object(error);
  if (error instanceof UsageError) {
    const help = isCommandName(command) ? `${command} --help` : '--help';
    return { message: `${message} See "socket-singleton ${help}".`, status: USAGE_STATUS };
  }
  // The library reports it with a code of its own if the host's output could not be written.
  if (code === 'EPIPE' || Object(error).isClosedPipe === true)
    return { message: 'The output was closed.', status: SIGPIPE_STATUS };
  // With --status, an error of the library has the status that was asked for.
  if (error instanceof StatusError)
    return { ...(cause instanceof SingletonError ? describe(cause, command) : { message }), status: error.status };
  if (error instanceof SingletonError)
    return { code, message: inCommandWords(error, command), status: statusOfError(error) };
  return { message, status: 1 };
}
