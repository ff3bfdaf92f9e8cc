import type { Duplex } from 'node:stream';
import { moduleNotLoadedError } from '../interface/errors.ts';
import type { ProtocolOptions } from '../interface/protocol.ts';
import {
  type ClientHello,
  encodeHostHello,
  INITIATION_BYTES,
  readClientHello,
  readExactly,
  type Status,
  STATUS,
} from './hello.ts';
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
  const clientHello = await readClientHello(connection);
  if (!clientHello || typeof clientHello === 'number') return clientHello;
  const wireFormat = checkHello(wireFormats, clientHello, options);
  if (typeof wireFormat === 'number') return wireFormat;
  const hostHello = encodeHostHello(STATUS.ok);
  const { secret } = options;
  if (!secret) {
    connection.write(hostHello);
    return { stream: connection, wireFormat };
  }
  const message = await readExactly(connection, INITIATION_BYTES);
  const { tryRespond } = await import('./secure/handshake.ts').catch(moduleNotLoadedError);
  const response = tryRespond({ secret, prologue: clientHello.bytes }, message, hostHello);
  if (!response) return STATUS.verificationFailed;
  connection.write(Buffer.concat([hostHello, response.message]));
  return { stream: response.open(connection), wireFormat };
}

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
