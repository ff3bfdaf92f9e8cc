import type { Duplex } from 'node:stream';
import { equalsText } from '../interface/bytes.ts';
import type { ProtocolOptions, VerifyFailureReason } from '../interface/protocol.ts';
import { loadSecure } from './client-handshake.ts';
import { type ClientHello, encodeHostHello, readInitiation, type ReceivedHello, type Status, STATUS } from './hello.ts';
import { StreamReader } from './read.ts';
import type { WireFormat } from './serializer.ts';

export const HOST_HELLO: Uint8Array = encodeHostHello(STATUS.ok);

/** The wire format of the client's codec, or the status to reject the client with. */
export function checkHello<T, R>(
  wireFormats: readonly WireFormat<T, R>[],
  { application, codec, isSecured }: ClientHello,
  { name, secret }: ProtocolOptions,
): WireFormat<T, R> | Status {
  const wireFormat = wireFormats.find((each) => equalsText(codec, each.name));
  if (!equalsText(application, name)) return STATUS.application;
  if (!wireFormat) return STATUS.codec;
  if (secret && !isSecured) return STATUS.secretRequired;
  if (!secret && isSecured) return STATUS.secretNotExpected;
  return wireFormat;
}

/** Why a client that is rejected for its secret was not verified. */
export const VERIFY_FAILURES: Readonly<Partial<Record<Status, VerifyFailureReason>>> = {
  [STATUS.secretRequired]: 'missing-secret',
  [STATUS.secretNotExpected]: 'unexpected-secret',
  [STATUS.verificationFailed]: 'wrong-secret',
};

/** Resolves to the stream that carries the frames, or to `undefined` if the client did not prove the secret. */
export async function respond(
  connection: Duplex,
  secret: Uint8Array,
  clientHello: ReceivedHello,
): Promise<Duplex | undefined> {
  // First, so that nothing is read while the connection still pushes the hello: Node's duplexPair() would never push again.
  const { tryRespond } = await loadSecure();
  const reader = new StreamReader(connection);
  const message = await readInitiation(reader);
  reader.release();
  const response = tryRespond({ secret, prologue: clientHello.bytes }, message, HOST_HELLO);
  if (!response) return undefined;
  connection.write(Buffer.concat([HOST_HELLO, response.message]));
  return response.open(connection);
}
