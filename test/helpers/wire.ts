import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
} from 'node:crypto';
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import { portOf } from './program.ts';

// docs/protocol.md in code. Imports nothing of src.

export const MAGIC = Buffer.from('f5 53 53 4c 0d 0a 1a 0a'.replaceAll(' ', ''), 'hex');
export const EMPTY = Buffer.alloc(0);

export interface ClientHello {
  readonly flags?: number;
  readonly codec?: string;
  readonly application?: string;
}

export function clientHello({ flags = 0, codec = 'json', application = 'notes' }: ClientHello): Buffer {
  const head = Buffer.of(1, flags, codec.length, application.length);
  return Buffer.concat([MAGIC, head, Buffer.from(codec + application)]);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function frame(kind: number, body: Uint8Array): Buffer {
  return Buffer.concat([u32(1 + body.length), Buffer.of(kind), body]);
}

/** A launch without process id, working directory and fields; with flags 1 it waits. */
export function launchFrame(args: string, flags = 0): Buffer {
  return frame(1, Buffer.concat([Buffer.of(flags), Buffer.alloc(10), Buffer.from(args)]));
}

export interface Frame {
  readonly kind: number;
  readonly body: Buffer;
}

/** A connection, or the decrypted stream of one. */
export interface ByteReader {
  read(size: number): Promise<Buffer>;
}

export async function readFrame(connection: ByteReader): Promise<Frame> {
  const length = (await connection.read(4)).readUInt32BE();
  const bytes = await connection.read(length);
  return { kind: bytes.readUInt8(), body: bytes.subarray(1) };
}

/** A refusal of the host; it may have a message for a log. */
export function expectRefusal({ kind, body }: Frame, reason: number): void {
  expect([kind, body[0]]).toEqual([3, reason]);
}

/** A connection that is read by sizes. */
export class RawConnection {
  static async open({ endpoint }: { readonly endpoint: string }): Promise<RawConnection> {
    const socket = createConnection({ host: '127.0.0.1', port: Number(new URL(endpoint).port), allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    const connection = new RawConnection(socket);
    // If it is reset at once, the next read fails.
    await once(socket, 'connect').catch(() => {});
    return connection;
  }

  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  #bytes = EMPTY;
  #hasEnded = false;
  isReset = false;
  #onChange = (): void => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#closed = new Promise((resolve) => socket.once('close', () => resolve()));
    const onEnd = (): void => {
      this.#hasEnded = true;
      this.#onChange();
    };
    socket.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#onChange();
    });
    socket.once('end', onEnd).once('close', onEnd);
    socket.on('error', () => (this.isReset = true));
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  end(bytes: Uint8Array = EMPTY): void {
    this.#socket.end(bytes);
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  async read(size: number): Promise<Buffer> {
    while (this.#bytes.length < size) {
      if (this.#hasEnded) throw new Error(`wanted ${size} bytes, got ${this.#bytes.length} and the end`);
      await new Promise<void>((resolve) => (this.#onChange = resolve));
    }
    const bytes = this.#bytes.subarray(0, size);
    this.#bytes = this.#bytes.subarray(size);
    return bytes;
  }

  /** Reads until the other side ends, then ends. */
  async readToEnd(): Promise<Buffer> {
    while (!this.#hasEnded) await new Promise<void>((resolve) => (this.#onChange = resolve));
    this.#socket.end();
    await this.#closed;
    return this.#bytes;
  }

  /** Hello and launch without a secret; resolves to the host's answer. */
  async launch(launch: Uint8Array): Promise<Frame> {
    this.write(clientHello({}));
    const hello = await this.read(12);
    if (!hello.equals(Buffer.concat([MAGIC, Buffer.of(1, 0, 0, 0)]))) throw new Error('the hello is not ok');
    this.write(launch);
    return readFrame(this);
  }

  /** A whole connection without a secret; resolves to the host's answer. */
  async deliver(launch: Uint8Array): Promise<Frame> {
    const answer = await this.launch(launch);
    this.end();
    expect(await this.readToEnd()).toHaveLength(0);
    return answer;
  }
}

export interface Server {
  readonly port: number;
  readonly served: readonly Promise<void>[];
}

/** A host that is written from the document: one handler for each connection, in order. */
export async function serve(handlers: readonly ((connection: RawConnection) => Promise<void>)[]): Promise<Server> {
  const served: Promise<void>[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const handler = handlers[served.length];
    if (handler) served.push(handle(handler, new RawConnection(socket)));
    else socket.destroy();
  });
  onTestFinished(() => void server.close());
  server.listen({ port: 0, host: '127.0.0.1', exclusive: true });
  await once(server, 'listening');
  return { port: portOf(server), served };
}

function handle(handler: (connection: RawConnection) => Promise<void>, connection: RawConnection): Promise<void> {
  const handled = handler(connection).catch((error: unknown) => {
    connection.reset();
    throw error;
  });
  // The test awaits it later.
  handled.catch(() => {});
  return handled;
}

/** The records after the handshake. */
export class SecureConnection {
  /** The handshake, with the names of the Noise specification. */
  static async open(connection: RawConnection, prologue: Buffer, secret: string): Promise<SecureConnection> {
    const psk = Buffer.from(hkdfSync('sha256', secret, 'socket-singleton/1', 'psk', 32));
    const name = Buffer.from('Noise_NNpsk0_25519_AESGCM_SHA256');
    let h = sha256(name, prologue);
    const { privateKey, publicKey } = generateKeyPairSync('x25519');
    const e = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');

    // -> psk, e
    const [ck1, temporary] = noiseHkdf(name, psk);
    h = sha256(sha256(h, temporary), e);
    const [ck2, k1] = noiseHkdf(ck1, e);
    const tag = encrypt(k1, 0, EMPTY, h);
    h = sha256(h, tag);
    connection.write(Buffer.concat([prologue, e, tag]));

    const hello = await connection.read(12);
    const status = hello.readUInt8(9);
    if (status !== 0) throw new Error(`status ${status}`);

    // <- e, ee
    const answer = await connection.read(60);
    const re = answer.subarray(0, 32);
    h = sha256(h, re);
    const [ck3] = noiseHkdf(ck2, re);
    const jwk = { kty: 'OKP', crv: 'X25519', x: re.toString('base64url') };
    const shared = diffieHellman({ privateKey, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) });
    const [ck4, k2] = noiseHkdf(ck3, shared);
    const payload = decrypt(k2, 0, answer.subarray(32), h);
    if (!payload.equals(hello)) throw new Error('the host hello was changed');

    const [sendKey, receiveKey] = noiseHkdf(ck4, EMPTY);
    return new SecureConnection(connection, sendKey, receiveKey);
  }

  readonly #connection: RawConnection;
  readonly #sendKey: Buffer;
  readonly #receiveKey: Buffer;
  #sent = 0;
  #received = 0;
  #bytes = EMPTY;

  private constructor(connection: RawConnection, sendKey: Buffer, receiveKey: Buffer) {
    this.#connection = connection;
    this.#sendKey = sendKey;
    this.#receiveKey = receiveKey;
  }

  write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += 65_519) this.#send(bytes.subarray(at, at + 65_519));
  }

  end(): void {
    this.#send(EMPTY);
    this.#connection.end();
  }

  /** One record. */
  async readRecord(): Promise<Buffer> {
    const length = (await this.#connection.read(2)).readUInt16BE();
    return decrypt(this.#receiveKey, this.#received++, await this.#connection.read(length), EMPTY);
  }

  /** Bytes of the stream, across record borders. */
  async read(size: number): Promise<Buffer> {
    while (this.#bytes.length < size) this.#bytes = Buffer.concat([this.#bytes, await this.readRecord()]);
    const bytes = this.#bytes.subarray(0, size);
    this.#bytes = this.#bytes.subarray(size);
    return bytes;
  }

  #send(part: Buffer): void {
    const record = encrypt(this.#sendKey, this.#sent++, part, EMPTY);
    this.#connection.write(Buffer.concat([u32(record.length).subarray(2), record]));
  }
}

function sha256(...parts: readonly Buffer[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

function hmac(key: Buffer, ...parts: readonly Buffer[]): Buffer {
  return createHmac('sha256', key).update(Buffer.concat(parts)).digest();
}

/** The first two outputs. The third is not needed: MixKey follows before the first payload. */
function noiseHkdf(chainingKey: Buffer, material: Buffer): readonly [Buffer, Buffer] {
  const temporary = hmac(chainingKey, material);
  const first = hmac(temporary, Buffer.of(1));
  return [first, hmac(temporary, first, Buffer.of(2))];
}

function nonce(number: number): Buffer {
  return Buffer.concat([Buffer.alloc(8), u32(number)]);
}

function encrypt(key: Buffer, number: number, plaintext: Buffer, ad: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce(number)).setAAD(ad);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, number: number, record: Buffer, ad: Buffer): Buffer {
  const end = record.length - 16;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce(number), { authTagLength: 16 });
  decipher.setAAD(ad).setAuthTag(record.subarray(end));
  return Buffer.concat([decipher.update(record.subarray(0, end)), decipher.final()]);
}
