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

/** A host, on a free port of 127.0.0.1 unless another endpoint is given, released when the test ends. */
export function startHost(options: SingletonOptions = {}): Promise<Singleton> {
  return start(new Singleton(options.transport ? options : { port: 0, ...options }));
}

/** Acquires, and releases when the test ends. */
export async function start(app: Singleton): Promise<Singleton> {
  onTestFinished(() => app.release());
  return app.acquire();
}

export function portOf({ endpoint }: Pick<Singleton, 'endpoint'>): number {
  return Number(new URL(endpoint).port);
}

/** Sends a launch. When it has its receipt, the host has called its listeners. */
export function launch(app: Singleton, args: readonly string[], options: SendOptions = {}): Promise<Receipt> {
  return Singleton.send({ transport: transportAt(app.endpoint), args, ...options });
}

/** An open connection to a host. */
export async function connect({ endpoint }: Pick<Singleton, 'endpoint'>): Promise<Connection> {
  const connection = await transportAt(endpoint).connect({ signal: new AbortController().signal });
  if (!connection) throw new Error(`Expected a host at ${endpoint}; there is none.`);
  onTestFinished(() => void connection.destroy());
  return connection.on('error', () => {}).resume();
}

/** An open connection that the host has accepted: a launch that connected after it was served. */
export async function connectAccepted(app: Singleton): Promise<Connection> {
  const socket = await connect(app);
  await launch(app, []);
  return socket;
}

/** Sends bytes and an end, and waits for the host to close. Resolves to how the host closed it. */
export async function sendBytes(app: Singleton, bytes: string | Uint8Array): Promise<'end' | 'reset'> {
  const socket = await connect(app);
  const closing = waitForClose(socket);
  socket.end(bytes);
  return closing;
}

/** How the host closes a connection. */
export function waitForClose(connection: Connection): Promise<'end' | 'reset'> {
  return new Promise((resolve) => connection.once('close', () => resolve(connection.errored ? 'reset' : 'end')));
}

export interface RecordedEvents {
  readonly args: (readonly string[])[];
  readonly clients: Client[];
  readonly warnings: string[];
  /** The names of all events, in their order. */
  readonly order: string[];
}

/** Records every event. */
export function recordEvents(app: Singleton): RecordedEvents {
  const recorded: RecordedEvents = { args: [], clients: [], warnings: [], order: [] };
  app.on('args', (args) => {
    recorded.order.push('args');
    recorded.args.push(args);
  });
  app.on('client', (client) => {
    recorded.order.push('client');
    recorded.clients.push(client);
  });
  app.on('warning', (warning) => {
    recorded.order.push('warning');
    recorded.warnings.push(warning.code);
  });
  app.on('verifyFailed', () => recorded.order.push('verifyFailed'));
  app.on('timeout', () => recorded.order.push('timeout'));
  app.on('release', (reason) => recorded.order.push(`release ${reason}`));
  return recorded;
}
