import type { Writable } from 'node:stream';
import type { Format } from '../codecs/codec.ts';
import type { Frame } from './messages.ts';

/** Writes frames to a stream, one after the other, from the moment that it is opened. */
export class FrameWriter {
  readonly #stream: Writable;
  readonly #frames: Format<Frame>;
  #held: (() => void)[] | undefined = [];

  constructor(stream: Writable, frames: Format<Frame>) {
    this.#stream = stream;
    this.#frames = frames;
  }

  /** What was written so far is sent. */
  open(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const write of held) write();
  }

  /** `sent` is called when the stream takes more; never, where it is destroyed first. */
  write(frame: Frame, sent?: () => void): void {
    if (this.#held) this.#held.push(() => this.write(frame, sent));
    else if (!this.#stream.writable) return;
    else if (this.#stream.write(this.#frames.encode(frame))) sent?.();
    else if (sent) this.#stream.once('drain', sent);
  }
}
