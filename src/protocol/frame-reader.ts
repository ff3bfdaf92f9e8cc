import type { Duplex } from 'node:stream';
import type { Decoder } from '../codecs/codec.ts';
import { SingletonError } from '../core/errors.ts';
import type { Frame } from './messages.ts';
import { takeSome } from './take.ts';

const NOTHING = new Uint8Array(0);

/** Frames from a host, one at a time: while nobody asks, the host is slowed down. */
export class FrameReader {
  readonly #stream: Duplex;
  readonly #decoder: Decoder<Frame>;
  #whole: Frame[] = [];

  constructor(stream: Duplex, decoder: Decoder<Frame>) {
    this.#stream = stream;
    this.#decoder = decoder;
  }

  /** @throws SingletonError where the stream breaks off before the next frame is whole, or what comes is none */
  async read(): Promise<Frame> {
    for (;;) {
      const frame = this.#whole.shift();
      if (frame) return frame;
      // What is wrong behind a whole frame is told by the next call.
      this.#decoder.push(NOTHING);
      const chunk = await takeSome(this.#stream);
      if (!chunk) throw brokenOff(this.#stream.errored);
      this.#whole = this.#decoder.push(chunk);
    }
  }
}

function brokenOff(cause: Error | null): SingletonError {
  if (cause instanceof SingletonError && cause.code !== 'ERR_SINGLETON_TRUNCATED_MESSAGE') return cause;
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    'The host broke the connection off when it had the launch, and did not say what became of it.',
    cause ? { cause } : undefined,
  );
}
