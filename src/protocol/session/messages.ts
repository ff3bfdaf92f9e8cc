import type { Terminals } from '../../interface/protocol.ts';
import { malformedError } from '../../interface/errors.ts';
import { type Frame, KIND } from '../messages.ts';
import { decodeTerminals, encodeTerminals } from '../terminal.ts';

/** Body: status u8. */
export function encodeExit(code: number): Frame {
  return { kind: KIND.exit, body: Uint8Array.of(code) };
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeExit({ body }: Frame): number {
  const [code] = body;
  if (body.length !== 1 || code === undefined) throw malformedError('a status of one byte');
  return code;
}

/** Body: bytes u32, how many more bytes of stdin the client may send. */
export function encodeWindowUpdate(bytes: number): Frame {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(bytes);
  return { kind: KIND.windowUpdate, body };
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeWindowUpdate({ body }: Frame): number {
  if (body.length !== 4) throw malformedError('a window update of 4 bytes');
  return Buffer.from(body.buffer, body.byteOffset, body.length).readUInt32BE();
}

/** Body: the terminal of one stream, as a launch has it. */
export function encodeResize(terminals: Terminals): readonly Frame[] {
  return encodeTerminals(terminals).map((body) => ({ kind: KIND.resize, body }));
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeResize({ body }: Frame): Terminals {
  return decodeTerminals([body]);
}

/** Body: the name of a signal, such as `SIGINT`. */
export function encodeSignal(signal: string): Frame {
  return { kind: KIND.signal, body: Buffer.from(signal, 'latin1') };
}

/** @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeSignal({ body }: Frame): string {
  const name = Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1');
  if (!/^[A-Z0-9]{1,16}$/.test(name)) throw malformedError('the name of a signal');
  return name;
}
