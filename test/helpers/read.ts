import type { Duplex } from 'node:stream';
import * as hello from '../../src/protocol/hello.ts';
import { StreamReader } from '../../src/protocol/read.ts';

/** The next bytes of a stream, however many; `undefined` if it has ended or is closed. */
export function readSome(stream: Duplex): Promise<Uint8Array | undefined> {
  return readBy(stream, (reader) =>
    reader.readUntil(
      () => reader.tryRead(),
      () => undefined,
    ),
  );
}

/** The next `size` bytes of a stream, or fewer if it ends or closes first. */
export function readUpTo(stream: Duplex, size: number): Promise<Uint8Array> {
  return readBy(stream, (reader) => reader.readUpTo(size));
}

export function readClientHello(stream: Duplex): Promise<hello.HelloResult> {
  return new Promise((resolve, reject) => hello.readClientHello(stream, resolve, reject));
}

export function readHostHello(stream: Duplex): ReturnType<typeof hello.readHostHello> {
  return readBy(stream, hello.readHostHello);
}

export function readInitiation(stream: Duplex): Promise<Uint8Array> {
  return readBy(stream, hello.readInitiation);
}

/** Reads once, and releases the stream. */
async function readBy<Value>(stream: Duplex, read: (reader: StreamReader) => Promise<Value>): Promise<Value> {
  const reader = new StreamReader(stream);
  try {
    return await read(reader);
  } finally {
    reader.release();
  }
}
