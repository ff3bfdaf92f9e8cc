import { Duplex, type DuplexOptions, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CipherState, type Session } from '../../src/protocol/secure/noise.ts';
import { SecureStream } from '../../src/protocol/secure/secure-stream.ts';

type Done = (error?: Error | null) => void;

/**
 * Two ends of a connection in memory. Each keeps no more than its highWaterMark until it is read, can go on writing when
 * the other has ended, and sees the end of stream when the other is destroyed.
 */
export function duplexPair(options: DuplexOptions = {}): readonly [Duplex, Duplex] {
  const [one, other] = [new End(options), new End(options)];
  one.join(other);
  other.join(one);
  // Whoever uses an end hears of it, or leaves the other one's going to be seen by its end of stream.
  for (const end of [one, other]) end.on('error', () => {});
  return [one, other];
}

/** A connection with somebody on its wire: `seen` is what left has put on it. */
function tappedPair(): {
  readonly left: Duplex;
  readonly right: Duplex;
  readonly seen: Buffer[];
} {
  const [left, tap] = duplexPair();
  const [further, right] = duplexPair();
  const seen: Buffer[] = [];
  const watch = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen.push(chunk);
      done(null, chunk);
    },
  });
  // An end that is destroyed breaks these off; the ends themselves tell.
  pipeline(tap, watch, further).catch(() => {});
  pipeline(further, tap).catch(() => {});
  return { left, right, seen };
}

/** What both sides have after a handshake, the same each time. */
export function sessions(): readonly [Session, Session] {
  const handshakeHash = new Uint8Array(32);
  return [
    { send: cipher(1), receive: cipher(2), handshakeHash },
    { send: cipher(2), receive: cipher(1), handshakeHash },
  ];
}

function cipher(key: number): CipherState {
  return new CipherState(new Uint8Array(32).fill(key));
}

/** Both ends of a channel, and what the left one has put on the wire. */
export function channels(): {
  readonly left: SecureStream;
  readonly right: SecureStream;
  readonly seen: readonly Buffer[];
} {
  const { left, right, seen } = tappedPair();
  const [one, other] = sessions();
  return { left: new SecureStream(left, one), right: new SecureStream(right, other), seen };
}

/** A channel, and instead of the other one the bare wire with the session that belongs to it. */
export function half(): Record<'wire' | 'connection', Duplex> &
  Record<'peer' | 'own', Session> & { channel: SecureStream } {
  const [wire, connection] = duplexPair();
  const [own, peer] = sessions();
  return { wire, connection, own, peer, channel: new SecureStream(connection, own) };
}

/** The bodies of all records of a wire. */
export function recordsOf(seen: readonly Buffer[]): readonly Buffer[] {
  const records: Buffer[] = [];
  for (let rest = Buffer.concat(seen); rest.length > 0;) {
    const end = 2 + rest.readUInt16BE(0);
    records.push(rest.subarray(2, end));
    rest = rest.subarray(end);
  }
  return records;
}

/** A record as the format has it: not made by the channel. */
export function record({ send }: Session, plaintext: Uint8Array | string): Buffer {
  const body = Buffer.concat(send.encrypt(Buffer.from(plaintext)));
  return Buffer.concat([Buffer.of(body.length >> 8, body.length & 0xff), body]);
}

/** All that a stream gives until it is closed, and the error that it was closed with. */
export function outcomeOf(stream: Duplex): Promise<{ readonly bytes: Buffer; readonly error: unknown }> {
  const chunks: Buffer[] = [];
  let error: unknown;
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.once('error', (reason) => (error = reason));
  return new Promise((resolve) => stream.once('close', () => resolve({ bytes: Buffer.concat(chunks), error })));
}

/** All that a stream gives until the other side ends it. */
export function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    stream.once('end', () => resolve(Buffer.concat(chunks))).once('error', reject);
  });
}

class End extends Duplex {
  #other: End | undefined;
  /** Called when the other side wants more. */
  #waiting: Done | undefined;
  #hasEnded = false;

  join(other: End): void {
    this.#other = other;
  }

  override _read(): void {
    this.#other?.goOn();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    this.#waiting = done;
    process.nextTick(() => {
      if (this.#other?.destroyed !== false) this.goOn(new Error('the other end is gone'));
      else if (this.#other.push(Buffer.from(chunk))) this.goOn();
    });
  }

  override _final(done: Done): void {
    process.nextTick(() => {
      this.#end();
      done();
    });
  }

  override _destroy(error: Error | null, done: Done): void {
    this.goOn(error ?? new Error('this end is gone'));
    this.#other?.goOn(new Error('the other end is gone'));
    this.#end();
    done(error);
  }

  goOn(error?: Error): void {
    const done = this.#waiting;
    this.#waiting = undefined;
    done?.(error);
  }

  #end(): void {
    if (this.#hasEnded || this.#other?.destroyed !== false) return;
    this.#hasEnded = true;
    this.#other.push(null);
  }
}
