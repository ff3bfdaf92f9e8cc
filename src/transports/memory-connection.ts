import { Duplex } from 'node:stream';
import type { Connection } from '../interface/transport.ts';

/** Waits until the next thing may arrive at the other side. */
export type Pass = (what: string) => Promise<unknown>;

type Done = (error?: Error | null) => void;

/** Both ends of a connection: the client's, which breaks once it has sent more than `cutAfter` bytes, and the host's. */
export function connectionPair(pass: Pass, cutAfter: number): readonly [MemoryConnection, MemoryConnection] {
  const [client, host] = [new MemoryConnection(pass, cutAfter), new MemoryConnection(pass, Infinity)];
  client.join(host);
  host.join(client);
  return [client, host];
}

/** Bytes on their way in one direction, as in the buffers of a system. Who sends more is held back. */
const WINDOW = 65_536;

/** One end. What it sends arrives in order. */
export class MemoryConnection extends Duplex implements Connection {
  readonly #pass: Pass;
  #peer: MemoryConnection | undefined;
  /** What was sent last has arrived. */
  #arrived: Promise<unknown> = Promise.resolve();
  #bytesLeft: number;
  #inFlight = 0;
  /** Goes on with what is written. */
  #writing: Done | undefined;
  /** Goes on with what arrives. */
  #wanting: (() => void) | undefined;
  #isReset = false;
  #hasEnded = false;

  constructor(pass: Pass, cutAfter: number) {
    super();
    this.#pass = pass;
    this.#bytesLeft = cutAfter;
    // As with a socket that nobody listens to yet: it only closes.
    this.on('error', () => {});
  }

  join(peer: MemoryConnection): void {
    this.#peer = peer;
  }

  /** Does something at the other side when all that was sent before has arrived there. */
  send(what: string, arrive: (peer: MemoryConnection) => unknown): void {
    this.#arrived = this.#sendAfter(this.#arrived, what, arrive);
  }

  async #sendAfter(
    earlier: Promise<unknown>,
    what: string,
    arrive: (peer: MemoryConnection) => unknown,
  ): Promise<void> {
    await earlier;
    await this.#pass(what);
    if (this.#peer) await arrive(this.#peer);
  }

  isPeerGone(): boolean {
    return this.#peer?.destroyed !== false;
  }

  resetAndDestroy(): this {
    this.#isReset = true;
    return this.destroy();
  }

  /** Breaks both ends off, at once. */
  break(): void {
    for (const end of [this, this.#peer]) end?.destroy(reset());
  }

  override _read(): void {
    this.#wanting?.();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    this.#inFlight += chunk.length;
    this.#writing = done;
    this.send(`${chunk.length} bytes`, async (peer) => {
      const part = chunk.subarray(0, this.#bytesLeft);
      this.#bytesLeft -= part.length;
      if (peer.destroyed) this.destroy(reset());
      else await peer.#receive(Buffer.from(part));
      if (part.length < chunk.length) this.send('cut', () => this.break());
      this.#inFlight -= chunk.length;
      this.#goOn();
    });
    this.#goOn();
  }

  override _final(done: Done): void {
    this.send('end', (peer) => this.#end(peer));
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#wanting?.();
    if (this.#peer) this.#peer.#wanting?.();
    this.send('close', (peer) => {
      if (this.#isReset) peer.destroy(reset());
      else this.#end(peer);
    });
    done(error);
  }

  #goOn(): void {
    if (this.#inFlight > WINDOW) return;
    const done = this.#writing;
    this.#writing = undefined;
    done?.();
  }

  /** Resolves when there is room for more, or an end is gone. */
  #receive(chunk: Buffer): Promise<void> | undefined {
    if (this.push(chunk) || this.#peer?.destroyed !== false) return undefined;
    return new Promise((resolve) => (this.#wanting = resolve));
  }

  #end(peer: MemoryConnection): void {
    if (this.#hasEnded || peer.destroyed) return;
    this.#hasEnded = true;
    peer.push(null);
  }
}

function reset(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
}
