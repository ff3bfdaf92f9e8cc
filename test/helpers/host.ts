import { onTestFinished } from 'vitest';
import {
  type Client,
  type Connection,
  type Receipt,
  type SendOptions,
  Singleton,
  type SingletonOptions,
} from '../../src/index.ts';
import { transportAt } from './endpoints.ts';

/** A host, on a free port of 127.0.0.1 unless another endpoint is given, released when the test is over. */
export function startHost(options: SingletonOptions = {}): Promise<Singleton> {
  return start(new Singleton(options.transport ? options : { port: 0, ...options }));
}

/** Claims, and releases when the test is over. */
export async function start(app: Singleton): Promise<Singleton> {
  onTestFinished(() => app.release());
  return app.acquire();
}

export function portOf({ endpoint }: Pick<Singleton, 'endpoint'>): number {
  return Number(new URL(endpoint).port);
}

/** A launch of this library. When it has its receipt, the host has told its listeners. */
export function launch(app: Singleton, args: readonly string[], options: SendOptions = {}): Promise<Receipt> {
  return Singleton.send({ transport: transportAt(app.endpoint), args, ...options });
}

/** An open connection that sends what the test tells it to. */
export async function dial({ endpoint }: Pick<Singleton, 'endpoint'>): Promise<Connection> {
  const connection = await transportAt(endpoint).connect({ signal: new AbortController().signal });
  if (!connection) throw new Error(`Expected a host at ${endpoint}; nobody is there.`);
  onTestFinished(() => void connection.destroy());
  return connection.on('error', () => {}).resume();
}

/** An open connection that the host has accepted: another launch, which came after it, was served. */
export async function dialAccepted(app: Singleton): Promise<Connection> {
  const socket = await dial(app);
  await launch(app, []);
  return socket;
}

/** Sends bytes and an end, and waits for the host to close. Resolves to how it did. */
export async function speak(app: Singleton, bytes: string | Uint8Array): Promise<'end' | 'reset'> {
  const socket = await dial(app);
  const closing = closed(socket);
  socket.end(bytes);
  return closing;
}

/** How the host closes a connection. */
export function closed(connection: Connection): Promise<'end' | 'reset'> {
  return new Promise((resolve) => connection.once('close', () => resolve(connection.errored ? 'reset' : 'end')));
}

export interface Heard {
  readonly args: (readonly string[])[];
  readonly clients: Client[];
  readonly warnings: string[];
  /** The names of all events, in their order. */
  readonly order: string[];
}

/** Listens to every event. */
export function hear(app: Singleton): Heard {
  const heard: Heard = { args: [], clients: [], warnings: [], order: [] };
  app.on('args', (args) => {
    heard.order.push('args');
    heard.args.push(args);
  });
  app.on('client', (client) => {
    heard.order.push('client');
    heard.clients.push(client);
  });
  app.on('warning', (warning) => {
    heard.order.push('warning');
    heard.warnings.push(warning.code);
  });
  app.on('verifyFailed', () => heard.order.push('verifyFailed'));
  app.on('timeout', () => heard.order.push('timeout'));
  app.on('release', (reason) => heard.order.push(`release ${reason}`));
  return heard;
}
