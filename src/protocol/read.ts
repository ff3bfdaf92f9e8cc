import type { Duplex } from 'node:stream';
import { isUint8Array } from '../interface/bytes.ts';

const EVENTS = ['readable', 'end', 'close'] as const;

/** The next `size` bytes of a stream, or fewer if it ends or closes first. Later bytes stay in the stream. */
export async function readUpTo(stream: Duplex, size: number): Promise<Uint8Array> {
  return (await next(stream, size)) ?? new Uint8Array(0);
}

/** The next bytes of a stream, however many; `undefined` if it has ended or is closed. */
export function readSome(stream: Duplex): Promise<Uint8Array | undefined> {
  return next(stream);
}

function next(stream: Duplex, size?: number): Promise<Uint8Array | undefined> {
  const bytes: unknown = stream.read(size);
  if (isUint8Array(bytes)) return Promise.resolve(bytes);
  return new Promise((resolve) => {
    const tryRead = (): void => {
      const more: unknown = stream.read(size);
      const isComplete = isUint8Array(more);
      if (!isComplete && !stream.readableEnded && !stream.destroyed) return;
      for (const event of EVENTS) stream.off(event, tryRead);
      resolve(isComplete ? more : undefined);
    };
    // Added once for all attempts: a stream that holds some bytes emits "readable" again for each new listener.
    for (const event of EVENTS) stream.on(event, tryRead);
    tryRead();
  });
}
