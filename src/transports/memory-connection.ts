import { Duplex } from 'node:stream';
import type { Connection } from './transport.ts';

/** Waits until the next thing may arrive on one direction of a connection. */
export type Pass = (what: string) => Promise<unknown>;

type Done = (error?: Error | null) => void;

/** Both ends of a connection, each with what its own bytes wait for. */
export function connectionPair(
  client: { readonly pass: Pass; readonly cutAfter: number },
  host: { readonly pass: Pass },
): readonly [MemoryConnection, MemoryConnection] {
  const ends = [new MemoryConnection(client.pass, client.cutAfter), new MemoryConnection(host.pass, Infinity)] as const;
  ends[0].join(ends[1]);
  ends[1].join(ends[0]);
  return ends;
}

/** One end. It holds no more than its highWaterMark until it is read, and what it sends arrives in order. */
export class MemoryConnection extends Duplex implements Connection {
  readonly #pass: Pass;
  #bytesLeft: number;
  #peer: MemoryConnection | undefined;
  /** What was sent last has arrived. */
  #arrived: Promise<unknown> = Promise.resolve();
  /** Called when the other side wants more. */
  #waiting: Done | undefined;
  #isReset = false;
  #hasEnded = false;

  constructor(pass: Pass, cutAfter: number) {
    super();
    // As with a socket that nobody listens to yet: it only closes.
    this.on('error', () => {});
    this.#pass = pass;
    this.#bytesLeft = cutAfter;
  }

  join(peer: MemoryConnection): void {
    this.#peer = peer;
  }

  /** Does something at the other side when all that was sent before has arrived there. */
  send(what: string, arrive: (peer: MemoryConnection) => void): void {
    this.#arrived = this.#sendAfter(this.#arrived, what, arrive);
  }

  async #sendAfter(earlier: Promise<unknown>, what: string, arrive: (peer: MemoryConnection) => void): Promise<void> {
    await earlier;
    await this.#pass(what);
    if (this.#peer) arrive(this.#peer);
  }

  isGone(): boolean {
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
    this.#peer?.goOn();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    this.#waiting = done;
    this.send(`${chunk.length} bytes`, (peer) => {
      const part = chunk.subarray(0, this.#bytesLeft);
      this.#bytesLeft -= part.length;
      if (peer.destroyed) this.goOn(broken('EPIPE'));
      else if (peer.push(Buffer.from(part)) && part.length === chunk.length) this.goOn();
      if (part.length < chunk.length) this.send('cut', () => this.break());
    });
  }

  override _final(done: Done): void {
    this.send('end', (peer) => {
      this.#end(peer);
      done();
    });
  }

  override _destroy(error: Error | null, done: Done): void {
    this.goOn(error ?? broken('EPIPE'));
    this.#peer?.goOn(broken('EPIPE'));
    this.send('close', (peer) => {
      if (this.#isReset) peer.destroy(reset());
      else this.#end(peer);
    });
    done(error);
  }

  goOn(error?: Error): void {
    const done = this.#waiting;
    this.#waiting = undefined;
    done?.(error);
  }

  #end(peer: MemoryConnection): void {
    if (this.#hasEnded || peer.destroyed) return;
    this.#hasEnded = true;
    peer.push(null);
  }
}

function reset(): Error {
  return broken('ECONNRESET');
}

function broken(code: string): Error {
  return Object.assign(new Error(`memory ${code}`), { code });
}
