import type { Duplex } from 'node:stream';
import type { ProtocolOptions } from '../interface/protocol.ts';
import { loadSecure } from './client-handshake.ts';
import { type ClientHello, encodeHostHello, readClientHello, readInitiation, type Status, STATUS } from './hello.ts';
import { StreamReader } from './read.ts';
import type { WireFormat } from './serializer.ts';

/** A host's connection after the handshake. */
export interface Opened<T, R> {
  /** Carries the frames; the connection itself if there is no secret. */
  readonly stream: Duplex;
  /** That of the client's codec. */
  readonly wireFormat: WireFormat<T, R>;
}

/** Resolves to the status to reject the client with, or to `undefined` if the connection ends without a byte. */
export async function acceptClient<T, R>(
  wireFormats: readonly WireFormat<T, R>[],
  connection: Duplex,
  options: ProtocolOptions,
): Promise<Opened<T, R> | Status | undefined> {
  const reader = new StreamReader(connection);
  const clientHello = await readClientHello(reader);
  if (!clientHello || typeof clientHello === 'number') return clientHello;
  const wireFormat = checkHello(wireFormats, clientHello, options);
  if (typeof wireFormat === 'number') return wireFormat;
  const { secret } = options;
  if (!secret) {
    reader.release();
    connection.write(HOST_HELLO);
    return { stream: connection, wireFormat };
  }
  const message = await readInitiation(reader);
  reader.release();
  const { tryRespond } = await loadSecure();
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
  const wireFormat = wireFormats.find((each) => Buffer.from(each.name).equals(codec));
  if (!Buffer.from(name).equals(application)) return STATUS.application;
  if (!wireFormat) return STATUS.codec;
  if (secret && !isSecured) return STATUS.secretRequired;
  if (!secret && isSecured) return STATUS.secretNotExpected;
  return wireFormat;
}
