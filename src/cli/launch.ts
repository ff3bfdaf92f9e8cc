import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { json } from '../codecs/json.ts';
import { type Client, type Codec, legacy, type Singleton } from '../index.ts';
import type { Invocation } from './command.ts';
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
    if (!stream) return reject(new Error('The command takes no launches.'));
    return stream.write(`${line}\n`, (error) => (error ? reject(error) : resolve()));
  });
}

/** Runs a shell command for a launch: its streams and its status are those of a launch that waits. */
export async function runForLaunch(command: string, args: unknown, client: Client): Promise<void> {
  // It changes with the result.
  const { waiting } = client;
  const operands = Array.isArray(args) ? args.map(textOf) : [textOf(args)];
  // The operands of the shell: a command in which they were pasted could be changed by them. In the directory of this process: in
  // that of a launch, what the command calls by a relative path would be the launch's choice.
  const child = spawn('sh', ['-c', command, 'sh', ...operands], {
    env: { ...process.env, SOCKET_SINGLETON_CWD: client.cwd, SOCKET_SINGLETON_PID: client.pid?.toString() },
    stdio: waiting ? 'pipe' : ['ignore', 'inherit', 'inherit'],
    // A process group of its own, so that what the shell starts ends with it.
    detached: HAS_GROUPS,
  });
  const onAbort = (): void => {
    endCommand(child);
    child.stdin?.destroy();
    // The output has no reader, but its end is the end of the work.
    for (const output of [child.stdout, child.stderr]) output?.unpipe().resume();
  };
  running.add(child);
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
  } finally {
    running.delete(child);
    client.signal.removeEventListener('abort', onAbort);
  }
}

/** The shells of all launches at work. */
const running = new Set<ChildProcess>();

/** Asks the commands of all launches to end. */
export function endCommands(): void {
  for (const child of running) endCommand(child);
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

/** Prints, in one line each, why launches failed. Node would print a stack. */
export function reportFailures(app: Singleton<unknown>, isExpected: (cause: unknown) => boolean = () => false): void {
  app.on('warning', ({ code, message, cause }) => {
    if (!REPORTED.has(code) || isExpected(cause)) return;
    printError(`${code}: ${message} ${String(Object(cause).message ?? '')}`.trimEnd());
  });
}

/** What a host does wrong, not what happens to its clients. */
const REPORTED: ReadonlySet<string> = new Set(['ERR_SINGLETON_LISTENER_FAILED']);
