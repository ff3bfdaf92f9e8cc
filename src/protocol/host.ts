import type { Duplex } from 'node:stream';
import type {
  Responder,
  ReceiptData,
  Decoder,
  Launch,
  LaunchHandler,
  LaunchResult,
  RefusalCode,
  ProtocolOptions,
  VerifyFailureReason,
} from '../interface/codec.ts';
import { SingletonError } from '../interface/errors.ts';
import { resetConnection } from '../interface/transport.ts';
import {
  encodeHostHello,
  HANDSHAKE_BYTES,
  type ClientHello,
  readClientHello,
  type Status,
  STATUS,
  readExactly,
} from './hello.ts';
import { HostSession } from './host-session.ts';
import {
  decodeLaunch,
  encodeReceipt,
  encodeRefusal,
  type Frame,
  malformedError,
  type PackedLaunch,
} from './messages.ts';
import { type WireFormat, deserialize } from './serializer.ts';

/** The host's side of a conversation. Who says nothing costs no more than this. */
export function readLaunch<T, R>(
  carrier: WireFormat<T, R>,
  connection: Duplex,
  terms: ProtocolOptions,
  receiver: LaunchHandler<T, R>,
): Responder {
  const receiving = new LaunchReader(carrier, connection, terms);
  const begin = (): void => {
    connection.off('readable', begin).off('close', begin);
    receiving.read().then(
      (reception) => receiver.onLaunch(reception),
      (fault: unknown) => receiver.onError(fault),
    );
  };
  connection.on('readable', begin).on('close', begin);
  return receiving;
}

/** From its first byte to the receipt. */
class LaunchReader<T, R> implements Responder {
  readonly #carrier: WireFormat<T, R>;
  readonly #connection: Duplex;
  readonly #options: ProtocolOptions;
  /** What frames go through, once the client is greeted. */
  #stream: Duplex | undefined;
  /** What follows the receipt, where the launch waits. */
  #session: HostSession<R> | undefined;
  #isSent = false;
  #error: SingletonError | undefined;

  constructor(carrier: WireFormat<T, R>, connection: Duplex, terms: ProtocolOptions) {
    this.#carrier = carrier;
    this.#connection = connection;
    this.#options = terms;
  }

  async read(): Promise<LaunchResult<T, R>> {
    const stream = await this.#handshake();
    if (typeof stream === 'number') {
      this.#isSent = true;
      this.#connection.write(encodeHostHello(stream));
      const reason = FAILURES[stream];
      if (reason === undefined) throw rejectionError(stream);
      return { verified: false, reason };
    }
    this.#stream = stream;
    try {
      const whole = await this.#readFrame(stream);
      if (!whole) return { verified: false, reason: 'replayed-handshake' };
      const launch = this.#unpack(whole.launch);
      if (launch.wait) this.#session = new HostSession(this.#carrier, stream, this.#options);
      return { verified: true, launch, bytes: whole.bytes, session: this.#session };
    } catch (error) {
      this.#rejectInvalid(error);
      throw error;
    }
  }

  get error(): SingletonError | undefined {
    const { destroyed, readableEnded } = this.#connection;
    return this.#error ?? (destroyed || readableEnded ? clientGoneError() : undefined);
  }

  accept(confirmation: ReceiptData): void {
    this.#send(encodeReceipt({ ...confirmation, pid: process.pid }));
    this.#session?.open();
  }

  reject(reason: RefusalCode): void {
    this.#send(encodeRefusal(reason));
    this.#session?.clientGone();
  }

  rejectRetryable(): void {
    if (this.#isSent) return this.#session?.abort();
    // Who was not greeted may speak another protocol, and would take an end for a yes; a client of ours tries again.
    if (this.#stream) this.#send(encodeRefusal('not-taken'));
    else resetConnection(this.#connection);
    this.#session?.clientGone();
  }

  #rejectInvalid(error: unknown): void {
    const code = error instanceof SingletonError && error.code;
    if (code === 'ERR_SINGLETON_MESSAGE_TOO_LARGE' || code === 'ERR_SINGLETON_MALFORMED_MESSAGE') this.reject(code);
  }

  #send(frame: Frame): void {
    if (this.#isSent) return;
    this.#isSent = true;
    if (this.#stream?.writable) this.#stream.write(this.#carrier.frames.encode(frame));
  }

  /** Greets a client whose preface is in order: resolves to what frames go through, else to what is wrong. */
  async #handshake(): Promise<Duplex | Status> {
    const { secret } = this.#options;
    const connection = this.#connection;
    const preface = await readClientHello(connection);
    const status = preface ? this.#checkHello(preface) : STATUS.version;
    if (!preface || status !== STATUS.ok) return status;
    if (!secret) {
      connection.write(encodeHostHello(STATUS.ok));
      return connection;
    }
    const message = await readExactly(connection, HANDSHAKE_BYTES);
    const { tryRespond } = await import('./secure/handshake.ts');
    const response = tryRespond({ secret, prologue: preface.bytes }, message);
    if (!response) return STATUS.verificationFailed;
    connection.write(Buffer.concat([encodeHostHello(STATUS.ok), response.message]));
    return response.open(connection);
  }

  #checkHello({ application, codec, isSecured }: ClientHello): Status {
    const { name, secret } = this.#options;
    if (!Buffer.from(name).equals(application)) return STATUS.application;
    if (!Buffer.from(this.#carrier.name).equals(codec)) return STATUS.codec;
    if (secret && !isSecured) return STATUS.secretRequired;
    if (!secret && isSecured) return STATUS.secretNotExpected;
    return STATUS.ok;
  }

  /**
   * A client may take its launch back, or break the rules, until the turn in which it is dispatched. Resolves to
   * `undefined` where it did not prove the secret after all: its first record does not decrypt.
   */
  #readFrame(stream: Duplex): Promise<ReceivedLaunch | undefined> {
    const decoder = this.#carrier.frames.createDecoder(this.#options);
    let launch: PackedLaunch | undefined;
    let bytes = 0;
    return new Promise((resolve, reject) => {
      const fail = (fault: unknown): void => {
        this.#error ??= fault instanceof SingletonError ? fault : clientGoneError();
        this.#rejectInvalid(fault);
        reject(fault);
      };
      stream.on('data', (chunk: Uint8Array) => {
        if (this.#isSent) return this.#session?.push(chunk);
        if (this.#error !== undefined) return;
        bytes += chunk.length;
        try {
          if (launch) throw malformedError(ONE_LAUNCH);
          const [first, ...more] = decoder.push(chunk);
          if (!first) return undefined;
          launch = decodeLaunch(first);
          if (more.length > 0 || !isAtFrameBoundary(decoder)) throw malformedError(ONE_LAUNCH);
        } catch (error) {
          return fail(error);
        }
        const whole = { launch, bytes };
        // When a host wakes up, the end of a stream is read a turn after its last bytes.
        setImmediate(() => setImmediate(() => resolve(whole)));
        return undefined;
      });
      const gone = (): void => {
        if (this.#isSent) this.#session?.clientGone();
        else fail(launch ? clientGoneError() : truncatedError());
      };
      stream.once('end', gone).once('close', gone);
      // It went while something was loaded.
      if (stream.destroyed) gone();
      stream.once('error', (error) => {
        const code = error instanceof SingletonError && error.code;
        if (code === 'ERR_SINGLETON_VERIFICATION_FAILED' && bytes === 0) resolve(undefined);
        if (code === 'ERR_SINGLETON_TRUNCATED_MESSAGE') gone();
        else if (this.#isSent) this.#session?.clientGone(error instanceof SingletonError ? error : undefined);
        else fail(error);
      });
    });
  }

  #unpack({ args, ...rest }: PackedLaunch): Launch<T> {
    return { ...rest, args: deserialize(this.#carrier.name, this.#carrier.args, args) };
  }
}

const ONE_LAUNCH = 'one launch a connection; more came';

/** Whether nothing stands behind the last frame. */
function isAtFrameBoundary(decoder: Decoder<Frame>): boolean {
  try {
    decoder.end();
    return true;
  } catch {
    return false;
  }
}

interface ReceivedLaunch {
  readonly launch: PackedLaunch;
  /** What it took on the wire. */
  readonly bytes: number;
}

const FAILURES: Readonly<Partial<Record<Status, VerifyFailureReason>>> = {
  [STATUS.secretRequired]: 'missing-secret',
  [STATUS.secretNotExpected]: 'unexpected-secret',
  [STATUS.verificationFailed]: 'wrong-secret',
};

function rejectionError(status: Status): SingletonError {
  if (status === STATUS.application) {
    return new SingletonError('ERR_SINGLETON_WRONG_APPLICATION', 'A launch of another application (name) was refused.');
  }
  const what = status === STATUS.codec ? 'with another codec' : 'in another version of the conversation';
  return new SingletonError('ERR_SINGLETON_UNSUPPORTED_VERSION', `A launch ${what} was refused.`);
}

function clientGoneError(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    'A launch was dropped: its client gave up before the host came to it.',
  );
}

function truncatedError(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_TRUNCATED_MESSAGE',
    'Expected a launch; the connection ended before it was whole.',
  );
}
