import { Duplex } from 'node:stream';
import type { Connection } from '../interface/transport.ts';

/** Resolves when the next step may happen. `what` describes the step. */
export type Schedule = (what: string) => Promise<unknown>;

type Callback = (error?: Error | null) => void;

/** Creates the client's and the host's end of a connection, which breaks when the client has sent more than `cutAfter` bytes. */
export function connectionPair(schedule: Schedule, cutAfter: number): readonly [MemoryConnection, MemoryConnection] {
  const [client, host] = [new MemoryConnection(schedule, cutAfter), new MemoryConnection(schedule, Infinity)];
  client.setPeer(host);
  host.setPeer(client);
  return [client, host];
}

/** Bytes that may be in flight in one direction, as in the buffers of a system. Further writes have to wait. */
const WINDOW = 65_536;

/** One end of a connection. What it sends arrives in order. */
export class MemoryConnection extends Duplex implements Connection {
  /** Client: that of the host. */
  token: number | undefined;
  readonly #schedule: Schedule;
  #peer: MemoryConnection | undefined;
  /** Resolves when the last item sent has arrived. */
  #lastArrival: Promise<unknown> = Promise.resolve();
  #bytesLeft: number;
  #inFlight = 0;
  /** The callback of the write that waits for room in the window. */
  #writeCallback: Callback | undefined;
  /** Resumes the delivery that waits until this end is read. */
  #resumeReceive: (() => void) | undefined;
  #isReset = false;
  #isEndDelivered = false;

  constructor(schedule: Schedule, cutAfter: number) {
    super();
    this.#schedule = schedule;
    this.#bytesLeft = cutAfter;
    // A reset before the owner has added a listener only closes the connection, as with a socket that was just accepted.
    this.on('error', () => {});
  }

  setPeer(peer: MemoryConnection): void {
    this.#peer = peer;
  }

  /** Calls `onArrival` when everything that was sent before has arrived at the peer. */
  send(what: string, onArrival: (peer: MemoryConnection) => unknown): void {
    this.#lastArrival = this.#sendAfter(this.#lastArrival, what, onArrival);
  }

  async #sendAfter(
    earlier: Promise<unknown>,
    what: string,
    onArrival: (peer: MemoryConnection) => unknown,
  ): Promise<void> {
    await earlier;
    await this.#schedule(what);
    if (this.#peer) await onArrival(this.#peer);
  }

  isPeerGone(): boolean {
    return this.#peer?.destroyed !== false;
  }

  resetAndDestroy(): this {
    this.#isReset = true;
    return this.destroy();
  }

  /** Resets both ends at once. */
  breakPair(): void {
    for (const end of [this, this.#peer]) end?.destroy(resetError());
  }

  override _read(): void {
    this.#resumeReceive?.();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: Callback): void {
    this.#inFlight += chunk.length;
    this.#writeCallback = callback;
    this.send(`${chunk.length} bytes`, async (peer) => {
      const part = chunk.subarray(0, this.#bytesLeft);
      this.#bytesLeft -= part.length;
      if (peer.destroyed) this.destroy(resetError());
      else await peer.#receive(Buffer.from(part));
      if (part.length < chunk.length) await this.#cut();
      this.#inFlight -= chunk.length;
      this.#resumeWrite();
    });
    this.#resumeWrite();
  }

  /** What was sent later, such as an end, does not arrive. */
  async #cut(): Promise<void> {
    await this.#schedule('cut');
    this.breakPair();
  }

  override _final(callback: Callback): void {
    this.send('end', (peer) => this.#end(peer));
    callback();
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.#resumeReceive?.();
    if (this.#peer) this.#peer.#resumeReceive?.();
    this.send('close', (peer) => {
      if (this.#isReset) peer.destroy(resetError());
      else this.#end(peer);
    });
    callback(error);
  }

  #resumeWrite(): void {
    if (this.#inFlight > WINDOW) return;
    const callback = this.#writeCallback;
    this.#writeCallback = undefined;
    callback?.();
  }

  /** Resolves when this end has room for more, or when either end is destroyed. */
  #receive(chunk: Buffer): Promise<void> | undefined {
    if (this.push(chunk) || this.#peer?.destroyed !== false) return undefined;
    return new Promise((resolve) => (this.#resumeReceive = resolve));
  }

  #end(peer: MemoryConnection): void {
    if (this.#isEndDelivered || peer.destroyed) return;
    this.#isEndDelivered = true;
    peer.push(null);
  }
}

function resetError(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
}
