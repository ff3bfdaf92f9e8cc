import { Readable } from 'node:stream';
import { malformed } from './messages.ts';

/** How much may be on its way: enough to keep a launch sending, and all that a host that stops reading must hold. */
const WINDOW = 262_144;

/** What comes into a launch, read by its host: the launch sends what was pulled, and no more. */
export class Input extends Readable {
  readonly #pull: (bytes: number) => void;
  #outstanding = 0;
  #hasEnded = false;

  /** `pull` asks the launch for so many bytes more. */
  constructor(pull: (bytes: number) => void) {
    super();
    this.#pull = pull;
    this.on('error', () => {});
  }

  /** Whether somebody reads it. */
  get isInUse(): boolean {
    const readers = this.listenerCount('data') + this.listenerCount('readable');
    return readers > 0 && !this.readableEnded && !this.destroyed;
  }

  /** What came; nothing is the end. @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` for what was not pulled */
  accept(bytes: Uint8Array): void {
    if (this.#hasEnded) throw malformed('nothing after the end of stdin; more came');
    if (bytes.length > this.#outstanding) throw malformed('no more of stdin than was pulled; more came');
    this.#outstanding -= bytes.length;
    this.#hasEnded = bytes.length === 0;
    if (!this.destroyed) this.push(this.#hasEnded ? null : bytes);
  }

  override _read(): void {
    const bytes = WINDOW - this.#outstanding;
    if (this.#hasEnded || bytes < WINDOW / 2) return;
    this.#outstanding = WINDOW;
    this.#pull(bytes);
  }
}
