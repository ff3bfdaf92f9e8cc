import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Killed, StatusError } from '../command.ts';
import { NOT_FOUND_STATUS, NOT_RUN_STATUS } from '../exit-status.ts';

/** The descriptor for launches. The socket is the next one, so that it is the same with and without launches. */
const LAUNCHES = 3;

/**
 * Starts the command of "run" with the streams of this process, a descriptor for launches if it reads them, and the descriptor
 * of the socket if there is one, which holds the endpoint while the command runs.
 * @throws StatusError
 */
export function start(
  [program, ...args]: readonly [string, ...string[]],
  readsLaunches: boolean,
  socket: number | undefined,
): ChildProcess {
  // From 3 upwards, what is ignored stays closed.
  const launches = readsLaunches ? 'pipe' : 'ignore';
  const stdio: StdioOptions = ['inherit', 'inherit', 'inherit', launches, ...(socket === undefined ? [] : [socket])];
  try {
    return spawn(program, args, { stdio });
  } catch (error) {
    // A list of arguments that is too long, or an empty name.
    throw notStartedError(program, error);
  }
}

/** The stream to the command, if it reads launches. */
export function launchesOf(child: ChildProcess): Writable | undefined {
  // A child that could not be started has no streams if there are too many open files.
  const { stdio }: Partial<ChildProcess> = child;
  const stream = stdio?.[LAUNCHES];
  if (!(stream instanceof Socket)) return undefined;
  // A socket pair. Unless this side reads, it does not learn that the command has closed its side.
  return stream.on('error', () => {}).resume();
}

/** Resolves to the status of the command. @throws StatusError if it could not be started */
export async function ended(child: ChildProcess): Promise<number | Killed> {
  if (child.pid === undefined) throw notStartedError(child.spawnfile, (await once(child, 'error'))[0]);
  // A signal that may not be sent, to a command of another user, is no end.
  child.on('error', () => {});
  const [code, signal] = await new Promise<readonly [number | null, NodeJS.Signals | null]>((resolve) =>
    child.once('exit', (...exit) => resolve(exit)),
  );
  if (signal === null) return code ?? 1;
  const status = 128 + constants.signals[signal];
  return ENDING.has(signal) ? { status, signal } : status;
}

/**
 * For a command that does not read launches: resolves to `false` if it goes on running. If it ends, this does not resolve: its
 * endpoint is released soon. The launch then tries again, and may be the next one to run.
 */
export async function isEnding(child: ChildProcess): Promise<false> {
  const exit = new Promise<unknown>((resolve) => child.once('exit', resolve));
  const isRunning = child.exitCode === null && child.signalCode === null;
  const hasEnded = !isRunning || (await Promise.race([exit.then(() => true), sleep(END_DELAY, false)]));
  return hasEnded ? new Promise(() => {}) : false;
}

/** Milliseconds from when a command that ends has closed its descriptors, until that is known. */
const END_DELAY = 100;

/** The signals by which this process ends as its command did. Others would write the memory of this one to a file. */
const ENDING: ReadonlySet<string> = new Set(['SIGHUP', 'SIGINT', 'SIGTERM']);

function notStartedError(program: string, cause: unknown): StatusError {
  const { code, message } = Object(cause);
  if (code === 'ENOENT' && isFile(program)) {
    const advice = 'Install it, or correct the line';
    const what = 'the file is there, but not the interpreter that its first line names (#!), or its loader';
    return new StatusError(NOT_RUN_STATUS, `"${program}" cannot be run (ENOENT): ${what}. ${advice}.`, { cause });
  }
  if (code === 'ENOENT') return new StatusError(NOT_FOUND_STATUS, `"${program}" was not found (ENOENT).`, { cause });
  const reason = String(code).startsWith('ERR_') ? message : code;
  return new StatusError(NOT_RUN_STATUS, `"${program}" cannot be run (${reason}).`, { cause });
}

/** Whether a program is there, at its path or in one of PATH. */
function isFile(program: string): boolean {
  const { existsSync } = process.getBuiltinModule('node:fs');
  if (program.includes('/')) return existsSync(program);
  const folders = (process.env['PATH'] ?? '').split(':');
  return folders.some((folder) => existsSync(`${folder || '.'}/${program}`));
}
