import type { Duplex } from 'node:stream';
import type { Deliver, Launch, ProtocolOptions } from '../../interface/codec.ts';
import { messageTooLargeError, SingletonError } from '../../interface/errors.ts';
import { encode } from './message.ts';

/** A Python host reads once, up to this many bytes. It resets if more arrived, and may run the start of the message. */
const READ_AT_ONCE_BYTES = 1024;

/**
 * The client's side of the legacy protocol: sends one message, the secret before the arguments, and ends. The host
 * ends after it and never sends a byte.
 */
export function outbound(
  { args }: Launch<readonly string[]>,
  { secret, maxMessageBytes }: ProtocolOptions,
): Deliver<never> {
  const bytes = encode(secret === undefined ? args : [Buffer.from(secret).toString(), ...args]);
  if (bytes.length > maxMessageBytes) throw messageTooLargeError(maxMessageBytes, bytes.length);
  return (connection) => send(connection, bytes);
}

/**
 * Resolves to "unconfirmed" if the connection ends without a reset: the host has received the message, or it died
 * before it read it, which looks the same here.
 */
function send(connection: Duplex, bytes: Uint8Array): ReturnType<Deliver<never>> {
  return new Promise((resolve, reject) => {
    let cause: Error | undefined;
    connection.once('data', () => {
      reject(
        new SingletonError(
          'ERR_SINGLETON_FOREIGN_HOST',
          'A legacy host never answers, but this one did: another program holds the endpoint. Choose another endpoint.',
        ),
      );
      connection.destroy();
    });
    connection.once('error', (error: Error) => (cause = error));
    connection.once('close', () => {
      if (connection.readableEnded && connection.writableFinished) resolve({ receipt: { outcome: 'unconfirmed' } });
      else if (bytes.length <= READ_AT_ONCE_BYTES) resolve(undefined);
      else reject(partlySentError(bytes.length, cause));
    });
    connection.end(bytes);
  });
}

function partlySentError(length: number, cause?: Error): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    `The host closed the connection early, and may have run the launch with a part of its ${length} bytes. ` +
      'Check before you repeat it; a Python host reads 1024 bytes at most.',
    cause && { cause },
  );
}
