import type { Duplex } from 'node:stream';
import { isUint8Array } from '../interface/bytes.ts';

const EVENTS = ['readable', 'end', 'close'] as const;

/** The next `size` bytes of a stream, or fewer if it ends or closes first. Later bytes stay in the stream. */
export async function readUpTo(stream: Duplex, size: number): Promise<Uint8Array> {
  return (await readUntil(stream, () => tryRead(stream, size))) ?? new Uint8Array(0);
}

/** The next bytes of a stream, however many; `undefined` if it has ended or is closed. */
export function readSome(stream: Duplex): Promise<Uint8Array | undefined> {
  return readUntil(stream, () => tryRead(stream));
}

/** What has arrived of a stream, if it is `size` bytes or more; all of it without a size. */
export function tryRead(stream: Duplex, size?: number): Uint8Array | undefined {
  const bytes: unknown = stream.read(size);
  return isUint8Array(bytes) ? bytes : undefined;
}

/**
 * Calls `take` now and whenever more has arrived, until it returns a value. `undefined` if the stream ends or closes first. Rejects
 * with what `take` throws.
 */
export function readUntil<Value>(stream: Duplex, take: () => Value | undefined): Promise<Value | undefined> {
  return new Promise((resolve, reject) => {
    const tryTake = (): boolean => {
      const value = take();
      const isDone = value !== undefined || stream.readableEnded || stream.destroyed;
      if (isDone) resolve(value);
      return isDone;
    };
    if (tryTake()) return;
    const onEvent = (): void => {
      try {
        if (!tryTake()) return;
      } catch (error) {
        reject(error);
      }
      for (const event of EVENTS) stream.off(event, onEvent);
    };
    // Added once for all attempts: a stream that holds some bytes emits "readable" again for each new listener.
    for (const event of EVENTS) stream.on(event, onEvent);
  });
}
