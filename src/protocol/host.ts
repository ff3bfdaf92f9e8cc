import type { Duplex } from 'node:stream';
import type {
  Answer,
  Confirmation,
  Decoder,
  Launch,
  Receiver,
  Reception,
  RefusalCode,
  Terms,
  VerifyFailureReason,
} from '../interface/codec.ts';
import { SingletonError } from '../interface/errors.ts';
import { abort } from '../interface/transport.ts';
import { encodeHello, HANDSHAKE_BYTES, type Preface, readPreface, type Status, STATUS, takeAll } from './hello.ts';
import { HostDialogue } from './host-session.ts';
import { decodeLaunch, encodeReceipt, encodeRefusal, type Frame, malformed, type PackedLaunch } from './messages.ts';
import { type Carrier, deserialize } from './serializer.ts';

/** The host's side of a conversation. Who says nothing costs no more than this. */
export function receive<T, R>(
  carrier: Carrier<T, R>,
  connection: Duplex,
  terms: Terms,
  receiver: Receiver<T, R>,
): Answer {
  const receiving = new Receiving(carrier, connection, terms);
  const begin = (): void => {
    connection.off('readable', begin).off('close', begin);
    receiving.receive().then(
      (reception) => receiver.received(reception),
      (fault: unknown) => receiver.failed(fault),
    );
  };
  connection.on('readable', begin).on('close', begin);
  return receiving;
}

/** From its first byte to the receipt. */
class Receiving<T, R> implements Answer {
  readonly #carrier: Carrier<T, R>;
  readonly #connection: Duplex;
  readonly #terms: Terms;
  /** What frames go through, once the client is greeted. */
  #stream: Duplex | undefined;
  /** What follows the receipt, where the launch waits. */
  #dialogue: HostDialogue<R> | undefined;
  #isAnswered = false;
  #fault: SingletonError | undefined;

  constructor(carrier: Carrier<T, R>, connection: Duplex, terms: Terms) {
    this.#carrier = carrier;
    this.#connection = connection;
    this.#terms = terms;
  }

  async receive(): Promise<Reception<T, R>> {
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
      const launch = this.#unpack(whole.launch);
      if (launch.wait) this.#dialogue = new HostDialogue(this.#carrier, stream, this.#terms);
      return { verified: true, launch, bytes: whole.bytes, dialogue: this.#dialogue };
    } catch (error) {
      this.#refuseFault(error);
      throw error;
    }
  }

  get fault(): SingletonError | undefined {
    const { destroyed, readableEnded } = this.#connection;
    return this.#fault ?? (destroyed || readableEnded ? gaveUp() : undefined);
  }

  confirm(confirmation: Confirmation): void {
    this.#say(encodeReceipt({ ...confirmation, pid: process.pid }));
    this.#dialogue?.open();
  }

  refuse(reason: RefusalCode): void {
    this.#say(encodeRefusal(reason));
    this.#dialogue?.lose();
  }

  dismiss(): void {
    if (this.#isAnswered) return this.#dialogue?.dismiss();
    // Who was not greeted may speak another protocol, and would take an end for a yes; a client of ours tries again.
    if (this.#stream) this.#say(encodeRefusal('not-taken'));
    else abort(this.#connection);
    this.#dialogue?.lose();
  }

  #refuseFault(error: unknown): void {
    const code = error instanceof SingletonError && error.code;
    if (code === 'ERR_SINGLETON_MESSAGE_TOO_LARGE' || code === 'ERR_SINGLETON_MALFORMED_MESSAGE') this.refuse(code);
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
    const { tryRespond } = await import('./secure/handshake.ts');
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
        this.#fault ??= fault instanceof SingletonError ? fault : gaveUp();
        this.#refuseFault(fault);
        reject(fault);
      };
      stream.on('data', (chunk: Uint8Array) => {
        if (this.#isAnswered) return this.#dialogue?.push(chunk);
        if (this.#fault !== undefined) return;
        bytes += chunk.length;
        try {
          if (launch) throw malformed(ONE_LAUNCH);
          const [first, ...more] = decoder.push(chunk);
          if (!first) return undefined;
          launch = decodeLaunch(first);
          if (more.length > 0 || !isAtBorder(decoder)) throw malformed(ONE_LAUNCH);
        } catch (error) {
          return fail(error);
        }
        const whole = { launch, bytes };
        // When a host wakes up, the end of a stream is read a turn after its last bytes.
        setImmediate(() => setImmediate(() => resolve(whole)));
        return undefined;
      });
      const gone = (): void => {
        if (this.#isAnswered) this.#dialogue?.lose();
        else fail(launch ? gaveUp() : truncated());
      };
      stream.once('end', gone).once('close', gone);
      // It went while something was loaded.
      if (stream.destroyed) gone();
      stream.once('error', (error) => {
        const code = error instanceof SingletonError && error.code;
        if (code === 'ERR_SINGLETON_VERIFICATION_FAILED' && bytes === 0) resolve(undefined);
        if (code === 'ERR_SINGLETON_TRUNCATED_MESSAGE') gone();
        else if (this.#isAnswered) this.#dialogue?.lose(error instanceof SingletonError ? error : undefined);
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
function isAtBorder(decoder: Decoder<Frame>): boolean {
  try {
    decoder.end();
    return true;
  } catch {
    return false;
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
