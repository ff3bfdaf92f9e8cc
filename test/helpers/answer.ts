import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import {
  type Client,
  type Receipt,
  type SendOptions,
  Singleton,
  type SingletonError,
  type SingletonOptions,
} from '../../src/index.ts';
import { portOf } from './host.ts';

export type Strings = readonly string[];

/** A codec with replies, and the options that host and client share. */
export interface Wire {
  readonly name: string;
  readonly shared: SendOptions;
}

export const wires: readonly [Wire, Wire] = [
  { name: 'json', shared: { codec: json<Strings>() } },
  { name: 'msgpack with a secret', shared: { codec: msgpack<Strings>(), secret: 'open sesame, open sesame' } },
];

/** A host of a wire, released when the test ends, and its warnings. */
export async function startHostOn(
  { shared }: Wire,
  options: Partial<SingletonOptions> = {},
): Promise<{ readonly app: Singleton; readonly warnings: SingletonError[] }> {
  const app = new Singleton<Strings>({ port: 0, ...shared, ...options });
  const warnings: SingletonError[] = [];
  app.on('warning', (warning) => warnings.push(warning));
  onTestFinished(() => app.release());
  return { app: await app.acquire(), warnings };
}

export interface WaitingLaunch {
  /** The receipt or the error. */
  readonly result: Promise<unknown>;
  readonly stdout: Promise<string>;
  readonly stderr: Promise<string>;
  /** Disconnects the client. */
  readonly abort: () => void;
}

/** Sends a launch that waits, with streams of the test. */
export function launchWaiting(
  app: Singleton,
  { shared }: Wire,
  { stdin = '', args = ['a'], ...more }: { stdin?: string | Readable } & Omit<SendOptions, 'stdin'> = {},
): WaitingLaunch {
  const controller = new AbortController();
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const result = Singleton.send({
    port: portOf(app),
    ...shared,
    args,
    wait: true,
    stdout,
    stderr,
    stdin: typeof stdin === 'string' ? Readable.from([Buffer.from(stdin)]) : stdin,
    signal: controller.signal,
    ...more,
  })
    .catch((error: unknown) => error)
    .finally(() => {
      stdout.end();
      stderr.end();
    });
  onTestFinished(() => controller.abort());
  return { result, stdout: text(stdout), stderr: text(stderr), abort: () => controller.abort() };
}

/** The client of the next 'args' event; its listener never settles. */
export function nextClient(app: Singleton): Promise<Client> {
  return new Promise((resolve) => {
    app.once('args', (_, client) => {
      resolve(client);
      return new Promise(() => {});
    });
  });
}

async function text(stream: PassThrough): Promise<string> {
  return (await buffer(stream)).toString();
}

export function aborted(signal: AbortSignal): Promise<unknown> {
  return signal.aborted ? Promise.resolve() : once(signal, 'abort');
}

export type { Receipt };
