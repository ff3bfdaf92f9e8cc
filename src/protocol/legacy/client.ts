import type { Duplex } from 'node:stream';
import type { Deliver, Launch, ProtocolOptions } from '../../interface/codec.ts';
import { SingletonError } from '../../interface/errors.ts';
import { encode } from './message.ts';

/** A Python host reads once, this much, and resets when more came: it may have taken the beginning of a longer message. */
const READ_AT_ONCE_BYTES = 1024;

/**
 * The client's side of the legacy conversation: it sends one message, the secret before the arguments, and ends; the host
 * ends after it and never sends a byte.
 */
export function outbound(
  { args }: Launch<readonly string[]>,
  { secret, maxMessageBytes }: ProtocolOptions,
): Deliver<never> {
  const bytes = encode(secret === undefined ? args : [Buffer.from(secret).toString(), ...args]);
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
function send(connection: Duplex, bytes: Uint8Array): ReturnType<Deliver<never>> {
  return new Promise((resolve, reject) => {
    let cause: Error | undefined;
    connection.once('data', () => {
      reject(
        new SingletonError(
          'ERR_SINGLETON_FOREIGN_HOST',
          'Expected a host, which never sends on this wire; another program holds the endpoint and answered. Choose another.',
        ),
      );
      connection.destroy();
    });
    connection.once('error', (error: Error) => (cause = error));
    connection.once('close', () => {
      if (connection.readableEnded && connection.writableFinished) resolve({ receipt: { outcome: 'unconfirmed' } });
      else if (bytes.length <= READ_AT_ONCE_BYTES) resolve(undefined);
      else
        reject(
          connectionFailedError(
            `The host broke the connection off; it may have read some of ${bytes.length} bytes`,
            cause,
          ),
        );
    });
    connection.end(bytes);
  });
}

function connectionFailedError(what: string, cause?: Error): SingletonError {
  return new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', `${what}.`, cause && { cause });
}
