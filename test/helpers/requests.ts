import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { type Codec, Singleton, type SingletonOptions } from '../../src/index.ts';
import { portOf } from './program.ts';
import { frame, MAGIC, type RawConnection, readFrame } from './wire.ts';

export type Strings = readonly string[];
export type StructuredOptions = Partial<SingletonOptions>;

export const SECRET = 'open sesame, open sesame';
export const codec: Codec<Strings> = json<Strings>();

/** Kinds of frames. */
export const KIND = { launch: 1, receipt: 2, refusal: 3, statusRequest: 10, status: 11, replace: 12, replaced: 13 };
export const STATUS_REQUEST = frame(KIND.statusRequest, Buffer.alloc(0));
export const REPLACE = frame(KIND.replace, Buffer.alloc(0));
export const HOST_HELLO = Buffer.concat([MAGIC, Buffer.of(1, 0, 0, 0)]);

/** A host with the codec JSON, on a free port unless an endpoint is given, released when the test ends. */
export async function startJson(options: StructuredOptions = {}): Promise<Singleton> {
  const endpoint = options.transport ? {} : { port: 0 };
  return start(new Singleton<Strings>({ ...endpoint, codec, ...options }));
}

/** Acquires, and releases when the test ends. */
export async function start<T>(app: Singleton<T>): Promise<Singleton<T>> {
  onTestFinished(() => app.release());
  return app.acquire();
}

/** A host that reads and answers by hand. It takes the client hello, and sends its own, before `act`. */
export function afterHello(act: (wire: RawConnection) => unknown): (wire: RawConnection) => Promise<void> {
  return async (wire) => {
    await readClientHello(wire);
    wire.write(HOST_HELLO);
    await act(wire);
  };
}

export async function readClientHello(wire: RawConnection): Promise<Buffer> {
  const head = await wire.read(12);
  return Buffer.concat([head, await wire.read(head.readUInt8(10) + head.readUInt8(11))]);
}

/** Reads the frame, and checks its kind. */
export async function expectFrame(wire: RawConnection, kind: number): Promise<Buffer> {
  const read = await readFrame(wire);
  if (read.kind !== kind) throw new Error(`Expected a frame of kind ${kind}, got one of kind ${read.kind}.`);
  return read.body;
}

export interface LegacyServer {
  readonly port: number;
  /** What each connection has sent, in order, once it has ended. */
  readonly received: Promise<Buffer>[];
}

/** Reads once and closes, as a Python host does. */
export async function startPythonLike(): Promise<LegacyServer> {
  const received: Promise<Buffer>[] = [];
  const server = createServer((socket) => void received.push(readOnce(socket)));
  onTestFinished(() => void server.close());
  server.listen({ port: 0, host: '127.0.0.1', exclusive: true });
  await once(server, 'listening');
  return { port: portOf(server), received };
}

async function readOnce(socket: Socket): Promise<Buffer> {
  socket.on('error', () => {});
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => void chunks.push(chunk));
  await Promise.race([once(socket, 'data'), once(socket, 'end')]);
  socket.end();
  return Buffer.concat(chunks);
}
