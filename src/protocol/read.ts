import type { Duplex } from 'node:stream';

const EVENTS = ['readable', 'end', 'close'] as const;

/** The next `size` bytes of a stream; fewer where it ends or is closed before. What follows stays in the stream. */
export async function readUpTo(stream: Duplex, size: number): Promise<Uint8Array> {
  return (await next(stream, size)) ?? new Uint8Array(0);
}

/** What a stream has, as soon as it has something; `undefined` where it has ended or is closed. */
export function readSome(stream: Duplex): Promise<Uint8Array | undefined> {
  return next(stream);
}

function next(stream: Duplex, size?: number): Promise<Uint8Array | undefined> {
  const bytes: unknown = stream.read(size);
  if (bytes instanceof Uint8Array) return Promise.resolve(bytes);
  return new Promise((resolve) => {
    const look = (): void => {
      const more: unknown = stream.read(size);
      const isWhole = more instanceof Uint8Array;
      if (!isWhole && !stream.readableEnded && !stream.destroyed) return;
      for (const event of EVENTS) stream.off(event, look);
      resolve(isWhole ? more : undefined);
    };
    // Once for all looks: a stream with a part of the bytes tells each new listener that it is readable.
    for (const event of EVENTS) stream.on(event, look);
    look();
  });
}
