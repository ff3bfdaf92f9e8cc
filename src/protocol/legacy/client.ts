import type { Deliver, Launch, ProtocolOptions } from '../../interface/protocol.ts';
import { messageTooLargeError, SingletonError } from '../../interface/errors.ts';
import { setTimeout, turns, twoTurns } from '../../interface/timers.ts';
import type { Connection } from '../../interface/transport.ts';
import { encode } from './message.ts';
import { isStructured } from './structured.ts';

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
 * Resolves to "unconfirmed" if the host ends the connection after it accepted all bytes: it has received the message, or it
 * died before it read it, which looks the same here.
 */
function send(connection: Connection, bytes: Uint8Array): ReturnType<Deliver<never>> {
  return new Promise((resolve, reject) => {
    let cause: Error | undefined;
    let isSent = false;
    let hasHostEnded = false;
    connection.once('data', (answer: Uint8Array) => {
      reject(isStructured(answer) ? structuredHostError() : foreignHostError());
      connection.destroy();
    });
    connection.once('error', (error: Error) => (cause = error));
    // Bun also emits "end" after a reset by this side.
    connection.once('end', () => (hasHostEnded = !connection.destroyed));
    connection.once('close', () => {
      if (isSent && hasHostEnded && connection.writableFinished) resolve({ receipt: { outcome: 'unconfirmed' } });
      else if (!isSent || bytes.length <= READ_AT_ONCE_BYTES) resolve(undefined);
      else reject(partlySentError(bytes.length, cause));
    });
    const transmit = async (): Promise<void> => {
      // The system of a host without free descriptors closes at once. Look first if that cannot be seen later, or if it is too late then.
      if (bytes.length > READ_AT_ONCE_BYTES || !connection.isPeerGone) await twoTurns();
      if (hasHostEnded) connection.destroy();
      if (connection.destroyed) return;
      isSent = true;
      connection.write(bytes);
      await turns(END_TURNS);
      if (hasHostEnded && (await isReset(connection))) connection.destroy();
      else connection.end();
    };
    void transmit();
  });
}

/**
 * Whether the connection was closed before the bytes arrived. They are answered by a reset then, which no event reports after
 * an end, and which nothing shows once this side has ended. A Python host may end this early too, but does not reset.
 */
async function isReset(connection: Connection): Promise<boolean> {
  if (!connection.isPeerGone) return false;
  await new Promise((resolve) => void setTimeout(resolve, RESET_DELAY));
  return connection.isPeerGone();
}

/**
 * Turns until an end has arrived that is on its way. Of 66,000 connections to a host without descriptors, on a machine with too much to
 * do, eight ended after more than four, and four after more than twelve.
 */
const END_TURNS = 12;
/** Milliseconds until a reset has arrived, on a busy machine too. */
const RESET_DELAY = 50;

/** The protocol has no question. A connection that ends without a byte is no launch, and shows that a host is there. */
export async function askStatus(connection: Connection): Promise<Record<string, never>> {
  await new Promise<void>((resolve) => connection.once('close', resolve).end(resolve));
  connection.destroy();
  return {};
}

function partlySentError(length: number, cause?: Error): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_CONNECTION_FAILED',
    `The host closed the connection early, and may have run the launch with a part of its ${length} bytes. ` +
      'Check before you repeat it; a Python host reads 1024 bytes at most.',
    cause && { cause },
  );
}

function foreignHostError(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_FOREIGN_HOST',
    'A legacy host never answers, but this one did: another program holds the endpoint. Choose another endpoint.',
  );
}

function structuredHostError(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_UNSUPPORTED_VERSION',
    'The host uses a structured codec, such as json(), and this launch uses legacy(). Use the same codec on both sides.',
  );
}
