import { spawnSync } from 'node:child_process';
import { PassThrough, Readable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { type Client, type Receipt, type SendOptions, Singleton, type SingletonOptions } from '../../src/index.ts';
import { portOf, start, startHost } from './host.ts';
import { fixture, type Program, run } from './program.ts';

/**
 * The interpreter of Python 3, if this machine has one. Not by its name in PATH: that may be the script of a version manager, which
 * takes longer than Python itself.
 */
export const python = ['python3', 'python']
  .map((name) =>
    spawnSync(name, ['-c', 'import sys; sys.version_info[0] == 3 and print(sys.executable)'], { encoding: 'utf8' }),
  )
  .map(({ stdout }) => stdout?.trim())
  .find(Boolean);

/** Whether the Python of this machine can speak with a secret: it needs the package `cryptography` for that. */
export const isSecure = python !== undefined && spawnSync(python, [fixture('peer'), 'can-secure']).status === 0;

if (python === undefined) {
  console.warn(
    'No Python 3 here: NOT TESTED is whether a second implementation of the protocols understands this one.',
  );
} else if (!isSecure) {
  console.warn('No package `cryptography` here: NOT TESTED is whether a second implementation understands a secret.');
}

export const codec = json<readonly string[]>();
export const secret = 's3cret-Ω, which is long enough';

/** What both sides share, as options of ours and as arguments of Python. */
export const ways = [
  { way: 'without a secret', shared: { codec }, flags: [] },
  ...(isSecure ? [{ way: 'with a secret', shared: { codec, secret }, flags: ['--secret', secret] }] : []),
];

/** What the program in test/fixtures/peer is told to be. */
export type Role = 'host' | 'client' | 'acquire' | 'package-host' | 'package-client';

/** Starts a program in Python, and returns at once. */
export function peer(role: Role, port: number, ...args: readonly string[]): Program {
  return runPeer(role, '--port', String(port), ...args);
}

/** Starts a client in Python of a host of ours. */
export function connectPeer(app: Pick<Singleton, 'endpoint'>, ...args: readonly string[]): Program {
  return peer('client', portOf(app), ...args);
}

/** Starts a host in Python, and returns it once it is listening. */
export async function pythonHost(port: number, ...args: readonly string[]): Promise<Program> {
  const host = peer('host', port, ...args);
  await host.line('host');
  return host;
}

export function runPeer(...args: readonly string[]): Program {
  if (python === undefined) throw new Error('Expected Python 3; none was found.');
  return run(python, [fixture('peer'), ...args]);
}

/** Tells a program in Python what to do. */
export function command(program: Program, line: object): void {
  program.writeLine(JSON.stringify(line));
}

/** The text of all events of a name. */
export function output(program: Program, event: string): string {
  return program
    .all(event)
    .map(({ text }) => String(text))
    .join('');
}

export interface Ours {
  readonly app: Singleton;
  readonly clients: readonly Client[];
  readonly args: readonly (readonly string[])[];
  readonly warnings: readonly string[];
  readonly failures: readonly string[];
}

/** Starts a host of ours, of options or as it is, and records what happens to it. */
export async function startOurs(host: SingletonOptions | Singleton): Promise<Ours> {
  const app = await (host instanceof Singleton ? start(host) : startHost(host));
  const clients: Client[] = [];
  const args: (readonly string[])[] = [];
  const warnings: string[] = [];
  const failures: string[] = [];
  app.on('client', (client) => void clients.push(client));
  app.on('args', (list) => void args.push(list));
  app.on('warning', ({ message }) => warnings.push(message));
  app.on('verifyFailed', ({ reason }) => failures.push(reason));
  return { app, clients, args, warnings, failures };
}

/** Sends a launch of ours, with a stdin that is empty unless given, and no output. */
export function send(port: number, shared: SendOptions, options: SendOptions): Promise<Receipt> {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  const streams = options.wait === true && { stdin: Readable.from([]), stdout: new PassThrough().resume() };
  return Singleton.send({ port, signal: controller.signal, ...shared, ...streams, ...options });
}

/** The error of a launch that fails. */
export async function rejection(sending: Promise<unknown>): Promise<unknown> {
  return sending.then(
    (receipt) => {
      throw new Error(`Expected a rejection, got ${JSON.stringify(receipt)}.`);
    },
    (error: unknown) => error,
  );
}
