import { Duplex, type DuplexOptions, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CipherState, type NoiseSession } from '../../src/protocol/secure/noise.ts';
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
  // The user of an end may listen to its errors, or only see the end of stream.
  for (const end of [one, other]) end.on('error', () => {});
  return [one, other];
}

/** A connection with a tap on its wire: `seen` holds what left has sent. */
function tappedPair(): {
  readonly left: Duplex;
  readonly right: Duplex;
  readonly seen: Buffer[];
} {
  const [left, tap] = duplexPair();
  const [inner, right] = duplexPair();
  const seen: Buffer[] = [];
  const watch = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen.push(chunk);
      done(null, chunk);
    },
  });
  // A destroyed end breaks these off; the ends themselves report it.
  pipeline(tap, watch, inner).catch(() => {});
  pipeline(inner, tap).catch(() => {});
  return { left, right, seen };
}

/** The sessions of both sides after a handshake, the same each time. */
export function sessions(): readonly [NoiseSession, NoiseSession] {
  const handshakeHash = new Uint8Array(32);
  return [
    { send: cipher(1), receive: cipher(2), handshakeHash },
    { send: cipher(2), receive: cipher(1), handshakeHash },
  ];
}

function cipher(key: number): CipherState {
  return new CipherState(new Uint8Array(32).fill(key));
}

/** Both ends of a secure stream, and the bytes that the left one has sent. */
export function secureStreamPair(): {
  readonly left: SecureStream;
  readonly right: SecureStream;
  readonly seen: readonly Buffer[];
} {
  const { left, right, seen } = tappedPair();
  const [one, other] = sessions();
  return { left: new SecureStream(left, one), right: new SecureStream(right, other), seen };
}

/** A secure stream, and instead of its other end the raw connection with the matching session. */
export function secureStreamWithRawPeer(): Record<'wire' | 'connection', Duplex> &
  Record<'peer' | 'own', NoiseSession> & { channel: SecureStream } {
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

/** A record as the format defines it, not made by the secure stream. */
export function record({ send }: NoiseSession, plaintext: Uint8Array | string): Buffer {
  const body = Buffer.concat(send.encrypt(Buffer.from(plaintext)));
  return Buffer.concat([Buffer.of(body.length >> 8, body.length & 0xff), body]);
}

/** All bytes of a stream until it is closed, and its error. */
export function outcomeOf(stream: Duplex): Promise<{ readonly bytes: Buffer; readonly error: unknown }> {
  const chunks: Buffer[] = [];
  let error: unknown;
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.once('error', (reason) => (error = reason));
  return new Promise((resolve) => stream.once('close', () => resolve({ bytes: Buffer.concat(chunks), error })));
}

/** All bytes of a stream until the other side ends it. */
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
    this.#other?.settleWrite();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    this.#waiting = done;
    process.nextTick(() => {
      if (this.#other?.destroyed !== false) this.settleWrite(new Error('the other end was destroyed'));
      else if (this.#other.push(Buffer.from(chunk))) this.settleWrite();
    });
  }

  override _final(done: Done): void {
    process.nextTick(() => {
      this.#end();
      done();
    });
  }

  override _destroy(error: Error | null, done: Done): void {
    this.settleWrite(error ?? new Error('this end was destroyed'));
    this.#other?.settleWrite(new Error('the other end was destroyed'));
    this.#end();
    done(error);
  }

  settleWrite(error?: Error): void {
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
