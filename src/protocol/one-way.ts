import { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';
import type { Decoder, Format, HandOff, Launch, Protocol, Reception, Receiver, Terms } from '../codecs/codec.ts';
import { SingletonError } from '../core/errors.ts';

/** A Python host reads once, this much, and resets when more came: it may have taken the beginning of a longer message. */
const READ_AT_ONCE_BYTES = 1024;

/**
 * The legacy conversation: the client sends one message, the secret before the arguments, and ends; the host ends after
 * it and never sends a byte.
 */
export function oneWay(format: Format<readonly string[]>): Protocol<readonly string[], never> {
  return {
    receive(connection, terms, receiver) {
      receive(format, connection, terms, receiver);
      return undefined;
    },
    prepare: (launch, terms) => prepare(format, launch, terms),
  };
}

function receive(
  format: Format<readonly string[]>,
  connection: Duplex,
  terms: Terms,
  receiver: Receiver<readonly string[], never>,
): void {
  let decoder: Decoder<readonly string[]> | undefined;
  let bytes = 0;
  connection.on('data', (chunk: Uint8Array) => {
    bytes += chunk.length;
    try {
      decoder ??= format.createDecoder(terms);
      decoder.push(chunk);
    } catch (error) {
      connection.pause();
      receiver.failed(error);
    }
  });
  connection.on('end', () => {
    try {
      const [parts] = (decoder ?? format.createDecoder(terms)).end();
      if (parts) receiver.received(verify(parts, bytes, terms));
      else receiver.failed(failed('The stream ended without a message'));
    } catch (error) {
      receiver.failed(error);
    }
  });
}

function verify(parts: readonly string[], bytes: number, { secret }: Terms): Reception<readonly string[], never> {
  if (secret === undefined) return { verified: true, launch: { args: parts }, bytes };
  const [proof, ...args] = parts;
  if (proof === undefined) return { verified: false, reason: 'missing-secret' };
  if (!isSame(Buffer.from(proof), secret)) return { verified: false, reason: 'wrong-secret' };
  return { verified: true, launch: { args: Object.freeze(args) }, bytes };
}

/** Compares digests, which are of one length, in constant time. `node:crypto` is loaded by the first call only. */
function isSame(proof: Uint8Array, secret: Uint8Array): boolean {
  const { createHash, timingSafeEqual } = process.getBuiltinModule('node:crypto');
  const digest = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
  return timingSafeEqual(digest(proof), digest(secret));
}

function prepare(
  format: Format<readonly string[]>,
  { args }: Launch<readonly string[]>,
  { secret, maxMessageBytes }: Terms,
): HandOff<never> {
  const bytes = format.encode(secret === undefined ? args : [Buffer.from(secret).toString(), ...args]);
  if (bytes.length > maxMessageBytes) {
    throw new SingletonError(
      'ERR_SINGLETON_MESSAGE_TOO_LARGE',
      `Expected arguments of at most ${maxMessageBytes} bytes (maxMessageBytes), got ${bytes.length}. ` +
        'Hand over a path to the data, or raise the limit on both sides.',
    );
  }
  return (connection) => send(connection, bytes);
}

/**
 * What a one-way launch can learn of its end. Without a reset, the host took the message (or died with it unread by its
 * program, which nothing on this wire tells apart).
 */
function send(connection: Duplex, bytes: Uint8Array): ReturnType<HandOff<never>> {
  return new Promise((resolve, reject) => {
    let cause: Error | undefined;
    connection.once('data', () => {
      reject(
        new SingletonError(
          'ERR_SINGLETON_FOREIGN_HOST',
          'Expected a host, which never sends on this wire; another program holds the place and answered. Choose another.',
        ),
      );
      connection.destroy();
    });
    connection.once('error', (error: Error) => (cause = error));
    connection.once('close', () => {
      if (connection.readableEnded && connection.writableFinished) resolve({ receipt: { outcome: 'unconfirmed' } });
      else if (bytes.length <= READ_AT_ONCE_BYTES) resolve(undefined);
      else reject(failed(`The host broke the connection off; it may have read some of ${bytes.length} bytes`, cause));
    });
    connection.end(bytes);
  });
}

function failed(what: string, cause?: Error): SingletonError {
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', `${what}.`, cause && { cause });
}
