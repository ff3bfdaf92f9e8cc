import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { json } from '../codecs/json.ts';
import { type Client, type Codec, legacy, type Schema, type Singleton } from '../index.ts';
import { HAS_NUL, type Invocation } from './command.ts';
import { NOT_RUN_STATUS } from './exit-status.ts';
import { printError } from './output.ts';

/**
 * The codecs of a host. One with a secret or the name of an application takes no launch over `legacy()`, which sends a secret in
 * the clear, and has no name. `any`: what `legacy()` decodes is a list of strings.
 */
export function hostCodecs(
  options: Invocation['options'],
  takesLaunches = true,
): readonly [Codec<any>, ...Codec<any>[]] {
  const isStructured = options['secret-file'] !== undefined || options['name'] !== undefined || !takesLaunches;
  return isStructured ? [json()] : [json(), legacy()];
}

/** A launch as a line of JSON, without the line end. */
export function launchLine(args: unknown, { cwd, pid }: Client): string {
  return JSON.stringify({ args, cwd, pid });
}

/** Resolves when the line was written. Rejects if the stream is closed. */
export function writeLine(stream: Writable | undefined, line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onWritten = (error?: Error | null): void =>
      error ? reject(new Error('the command has closed descriptor 3', { cause: error })) : resolve();
    if (stream) stream.write(`${line}\n`, onWritten);
    else reject(new Error('the command takes no launches'));
  });
}

/** The shell commands of a host for its launches. */
export class LaunchCommands {
  /** Those at work. */
  readonly #running = new Set<ChildProcess>();

  /** Runs a shell command for a launch: its streams and its status are those of a launch that waits. */
  async run(command: string, args: unknown, client: Client): Promise<void> {
    // It changes with the result.
    const { waiting } = client;
    const child = trySpawn(command, args, client);
    if (!child) return void client.exit(NOT_RUN_STATUS);
    const onAbort = (): void => {
      endCommand(child);
      child.stdin?.destroy();
      // The output has no reader, but its end is the end of the work.
      for (const output of [child.stdout, child.stderr]) output?.unpipe().resume();
    };
    this.#running.add(child);
    if (child.stdin) client.stdin.pipe(child.stdin).on('error', () => {});
    child.stdout?.pipe(client.stdout);
    child.stderr?.pipe(client.stderr);
    client.signal.addEventListener('abort', onAbort, { once: true });
    if (client.signal.aborted) onAbort();
    // Not 'exit', after which output may follow.
    try {
      const [code, signal] = await once(child, 'close');
      if (!client.signal.aborted) client.exit(code, signal);
      if (!waiting && code !== 0)
        printError(`The command for a launch ended with ${code === null ? `the signal ${signal}` : `status ${code}`}.`);
    } catch (error) {
      reportNotStarted(error);
      client.exit(NOT_RUN_STATUS);
    } finally {
      this.#running.delete(child);
      client.signal.removeEventListener('abort', onAbort);
    }
  }

  /** Releases the endpoint and waits for the commands. A signal ends them: a terminal does not send it to their process groups. */
  async drain(app: Singleton<unknown>): Promise<void> {
    const end = (): void => {
      for (const child of this.#running) endCommand(child);
    };
    for (const signal of SIGNALS) process.on(signal, end);
    await app.release({ drain: true });
    for (const signal of SIGNALS) process.off(signal, end);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** Returns `undefined`, after a line, if the system does not take the arguments. */
function trySpawn(command: string, args: unknown, client: Client): ChildProcess | undefined {
  const operands = Array.isArray(args) ? args.map(textOf) : [textOf(args)];
  try {
    // The operands of the shell: a command in which they were pasted could be changed by them. In the directory of this process: in
    // that of a launch, what the command calls by a relative path would be the launch's choice.
    return spawn('sh', ['-c', command, 'sh', ...operands], {
      env: { ...process.env, SOCKET_SINGLETON_CWD: client.cwd, SOCKET_SINGLETON_PID: client.pid?.toString() },
      stdio: client.waiting ? 'pipe' : ['ignore', 'inherit', 'inherit'],
      // A process group of its own, so that what the shell starts ends with it.
      detached: HAS_GROUPS,
    });
  } catch (error) {
    reportNotStarted(error);
    return undefined;
  }
}

function reportNotStarted(error: unknown): void {
  const { code, message } = Object(error);
  printError(`The command for a launch could not be started (${code ?? message}).`);
}

/** Windows has no process groups. */
const HAS_GROUPS = process.platform !== 'win32';

/** Sends SIGTERM to a shell, and to what it has started: in the background of a shell, SIGINT is ignored. */
function endCommand(child: ChildProcess): void {
  const { pid, exitCode, signalCode } = child;
  // Of a shell that has ended, the number may be that of another process.
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  if (!HAS_GROUPS) return void child.kill();
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // ESRCH: all have ended. EPERM: all that are left belong to other users.
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Refuses launches before they are dispatched, which the host would confirm and then lose. `refusalOf`: why, if it does. */
export function schemaOf(refusalOf: (args: unknown) => Promise<string | undefined>): Schema {
  const validate = async (value: unknown) => {
    const message = await refusalOf(value);
    return message === undefined ? { value } : { issues: [{ message }] };
  };
  return { '~standard': { version: 1, vendor: 'socket-singleton', validate } };
}

/** Why a shell command cannot have the arguments of a launch. */
export function refusalByCommand(args: unknown): string | undefined {
  return String(args).includes('\0') ? HAS_NUL : undefined;
}

/** Prints, in one line each, what went wrong with launches that were taken. Node would print a stack. */
export function reportFailures(app: Singleton<unknown>, isExpected: (cause: unknown) => boolean = () => false): void {
  app.on('warning', ({ code, cause }) => {
    if (code !== 'ERR_SINGLETON_LISTENER_FAILED' || isExpected(cause)) return;
    printError(`A launch failed: ${String(Object(cause).message ?? cause)}.`);
  });
}
