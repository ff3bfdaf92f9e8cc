import { spawn } from 'node:child_process';
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
  const operands = Array.isArray(args) ? args.map(textOf) : [textOf(args)];
  // The operands of the shell: a command in which they were pasted could be changed by them. In the directory of this process: in
  // that of a launch, what the command calls by a relative path would be the launch's choice.
  const child = spawn('sh', ['-c', command, 'sh', ...operands], {
    env: { ...process.env, SOCKET_SINGLETON_CWD: client.cwd, SOCKET_SINGLETON_PID: client.pid?.toString() },
    stdio: client.waiting ? 'pipe' : ['ignore', 'inherit', 'inherit'],
    signal: client.signal,
  });
  if (child.stdin) client.stdin.pipe(child.stdin).on('error', () => {});
  child.stdout?.pipe(client.stdout);
  child.stderr?.pipe(client.stderr);
  // Not 'exit', after which output may follow.
  try {
    const [code, signal] = await once(child, 'close');
    client.exit(code, signal);
  } finally {
    // If the client has gone, only the shell was ended: what it has started finds its output closed.
    child.stdout?.destroy();
    child.stderr?.destroy();
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Prints, in one line each, why launches failed. Node would print a stack. */
export function reportFailures(app: Singleton<unknown>, isExpected: (cause: unknown) => boolean = () => false): void {
  app.on('warning', ({ code, message, cause }) => {
    if (!REPORTED.has(code) || Object(cause).name === 'AbortError' || isExpected(cause)) return;
    printError(`${code}: ${message} ${String(Object(cause).message ?? '')}`.trimEnd());
  });
}

/** What a host does wrong, not what happens to its clients. */
const REPORTED: ReadonlySet<string> = new Set(['ERR_SINGLETON_LISTENER_FAILED']);
