import type { Duplex } from 'node:stream';

const NOTHING = new Uint8Array(0);

/** The next `size` bytes of a stream; fewer where it ends or is closed before. What follows stays in the stream. */
export async function take(stream: Duplex, size: number): Promise<Uint8Array> {
  for (;;) {
    const bytes: unknown = stream.read(size);
    if (bytes instanceof Uint8Array) return bytes;
    if (stream.readableEnded || stream.destroyed) return NOTHING;
    await changed(stream);
  }
}

function changed(stream: Duplex): Promise<void> {
  const events = ['readable', 'end', 'close'] as const;
  return new Promise((resolve) => {
    const settle = (): void => {
      for (const event of events) stream.off(event, settle);
      resolve();
    };
    for (const event of events) stream.once(event, settle);
  });
}
