import type { Duplex } from 'node:stream';
import type {
  Answer,
  Confirmation,
  Launch,
  Reception,
  RefusalCode,
  Terms,
  VerifyFailureReason,
} from '../codecs/codec.ts';
import { SingletonError } from '../core/errors.ts';
import type { Carrier } from './conversation.ts';
import { decodeLaunch, encodeReceipt, encodeRefusal, malformed, type Frame, type PackedLaunch } from './messages.ts';
import { encodeHello, HANDSHAKE_BYTES, readPreface, STATUS, takeAll, type Preface, type Status } from './preface.ts';

/** The host's side of a conversation. */
export class Receiving<T> implements Answer {
  readonly #carrier: Carrier<T>;
  readonly #connection: Duplex;
  readonly #terms: Terms;
  /** What frames go through, once the client is greeted. */
  #stream: Duplex | undefined;
  #isAnswered = false;
  /** Why the launch is not to be run, if it is not. */
  #fault: unknown;

  constructor(carrier: Carrier<T>, connection: Duplex, terms: Terms) {
    this.#carrier = carrier;
    this.#connection = connection;
    this.#terms = terms;
  }

  async receive(): Promise<Reception<T>> {
    const stream = await this.#greet();
    if (typeof stream === 'number') {
      this.#isAnswered = true;
      this.#connection.write(encodeHello(stream));
      const reason = FAILURES[stream];
      if (reason === undefined) throw unwelcome(stream);
      return { verified: false, reason };
    }
    this.#stream = stream;
    try {
      const whole = await this.#readLaunch(stream);
      if (!whole) return { verified: false, reason: 'replayed-handshake' };
      return { verified: true, launch: this.#unpack(whole.launch), bytes: whole.bytes };
    } catch (error) {
      const code = error instanceof SingletonError && error.code;
      if (code === 'ERR_SINGLETON_MESSAGE_TOO_LARGE' || code === 'ERR_SINGLETON_MALFORMED_MESSAGE') this.refuse(code);
      throw error;
    }
  }

  get isAwaited(): boolean {
    const { destroyed, readableEnded } = this.#connection;
    return this.#fault === undefined && !this.#isAnswered && !destroyed && !readableEnded;
  }

  confirm(confirmation: Confirmation): void {
    this.#say(encodeReceipt({ ...confirmation, pid: process.pid }));
  }

  refuse(reason: RefusalCode): void {
    this.#say(encodeRefusal(reason));
  }

  dismiss(): void {
    // Who was not greeted has not sent a launch, and tries again when the connection is closed.
    if (this.#stream) this.#say(encodeRefusal('not-taken'));
    else if (!this.#isAnswered) this.#connection.destroy();
  }

  #say(frame: Frame): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    if (this.#stream?.writable) this.#stream.write(this.#carrier.frames.encode(frame));
  }

  /** Greets a client whose preface is in order: resolves to what frames go through, else to what is wrong. */
  async #greet(): Promise<Duplex | Status> {
    const { secret } = this.#terms;
    const connection = this.#connection;
    const preface = await readPreface(connection);
    const status = preface ? this.#judge(preface) : STATUS.version;
    if (!preface || status !== STATUS.ok) return status;
    if (!secret) {
      connection.write(encodeHello(STATUS.ok));
      return connection;
    }
    const message = await takeAll(connection, HANDSHAKE_BYTES);
    const { tryRespond } = await import('./handshake.ts');
    const response = tryRespond({ secret, prologue: preface.bytes }, message);
    if (!response) return STATUS.verificationFailed;
    connection.write(Buffer.concat([encodeHello(STATUS.ok), response.message]));
    return response.open(connection);
  }

  #judge({ application, codec, isSecured }: Preface): Status {
    const { name, secret } = this.#terms;
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
  #readLaunch(stream: Duplex): Promise<Whole | undefined> {
    const decoder = this.#carrier.frames.createDecoder(this.#terms);
    let launch: PackedLaunch | undefined;
    let bytes = 0;
    return new Promise((resolve, reject) => {
      const fail = (fault: unknown): void => {
        this.#fault ??= fault;
        reject(fault);
      };
      stream.on('data', (chunk: Uint8Array) => {
        if (this.#fault !== undefined || this.#isAnswered) return;
        bytes += chunk.length;
        try {
          for (const frame of decoder.push(chunk)) {
            if (launch) throw malformed('one launch a connection; more came');
            launch = decodeLaunch(frame);
          }
        } catch (error) {
          fail(error);
        }
        const whole = launch && { launch, bytes };
        // When a host wakes up, the end of a stream is read a turn after its last bytes.
        if (whole) setImmediate(() => setImmediate(() => resolve(whole)));
      });
      const gone = (): void => fail(launch ? gaveUp() : truncated());
      stream.once('end', gone).once('close', gone);
      stream.once('error', (error) => {
        const code = error instanceof SingletonError && error.code;
        if (code === 'ERR_SINGLETON_VERIFICATION_FAILED' && bytes === 0) resolve(undefined);
        if (code === 'ERR_SINGLETON_TRUNCATED_MESSAGE') gone();
        fail(error);
      });
    });
  }

  #unpack({ args, ...rest }: PackedLaunch): Launch<T> {
    try {
      return { ...rest, args: this.#carrier.deserialize(args) };
    } catch (error) {
      if (error instanceof SingletonError) throw error;
      // What it says may quote the client.
      throw malformed(
        `arguments that the codec "${this.#carrier.name}" can decode; ${args.length} bytes came that it cannot`,
      );
    }
  }
}

interface Whole {
  readonly launch: PackedLaunch;
  /** What it took on the wire. */
  readonly bytes: number;
}

const FAILURES: Readonly<Partial<Record<Status, VerifyFailureReason>>> = {
  [STATUS.secretRequired]: 'missing-secret',
  [STATUS.secretNotExpected]: 'unexpected-secret',
  [STATUS.verificationFailed]: 'wrong-secret',
};

function unwelcome(status: Status): SingletonError {
  if (status === STATUS.application) {
    return new SingletonError('ERR_SINGLETON_WRONG_APPLICATION', 'A launch of another application (name) was refused.');
  }
  const what = status === STATUS.codec ? 'with another codec' : 'in another version of the conversation';
  return new SingletonError('ERR_SINGLETON_UNSUPPORTED_VERSION', `A launch ${what} was refused.`);
}

function gaveUp(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    'A launch was dropped: its client gave up before the host came to it.',
  );
}

function truncated(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_TRUNCATED_MESSAGE',
    'Expected a launch; the connection ended before it was whole.',
  );
}
