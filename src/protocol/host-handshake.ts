import type { Duplex } from 'node:stream';
import { isText } from '../interface/bytes.ts';
import type { ProtocolOptions } from '../interface/protocol.ts';
import { loadSecure } from './client-handshake.ts';
import { type ClientHello, encodeHostHello, readInitiation, type ReceivedHello, type Status, STATUS } from './hello.ts';
import { StreamReader } from './read.ts';
import type { WireFormat } from './serializer.ts';

/** A host's connection after the handshake. */
export interface Opened<T, R> {
  /** Carries the frames; the connection itself if there is no secret. */
  readonly stream: Duplex;
  /** That of the client's codec. */
  readonly wireFormat: WireFormat<T, R>;
}

/** Answers a client hello that matches. Otherwise resolves to the status to reject the client with. */
export async function acceptClient<T, R>(
  wireFormats: readonly WireFormat<T, R>[],
  connection: Duplex,
  clientHello: ReceivedHello | Status,
  options: ProtocolOptions,
): Promise<Opened<T, R> | Status> {
  if (typeof clientHello === 'number') return clientHello;
  const wireFormat = checkHello(wireFormats, clientHello, options);
  if (typeof wireFormat === 'number') return wireFormat;
  const { secret } = options;
  if (!secret) {
    connection.write(HOST_HELLO);
    return { stream: connection, wireFormat };
  }
  // First, so that nothing is read while the connection still pushes the hello: Node's duplexPair() would never push again.
  const { tryRespond } = await loadSecure();
  const reader = new StreamReader(connection);
  const message = await readInitiation(reader);
  reader.release();
  const response = tryRespond({ secret, prologue: clientHello.bytes }, message, HOST_HELLO);
  if (!response) return STATUS.verificationFailed;
  connection.write(Buffer.concat([HOST_HELLO, response.message]));
  return { stream: response.open(connection), wireFormat };
}

const HOST_HELLO = encodeHostHello(STATUS.ok);

function checkHello<T, R>(
  wireFormats: readonly WireFormat<T, R>[],
  { application, codec, isSecured }: ClientHello,
  { name, secret }: ProtocolOptions,
): WireFormat<T, R> | Status {
  const wireFormat = wireFormats.find((each) => isText(codec, each.name));
  if (!isText(application, name)) return STATUS.application;
  if (!wireFormat) return STATUS.codec;
  if (secret && !isSecured) return STATUS.secretRequired;
  if (!secret && isSecured) return STATUS.secretNotExpected;
  return wireFormat;
}
