/**
 * The bytes of a `Uint8Array` that a program passes, of any realm; `undefined` for another value. Ignores properties of its
 * own: a wrong "length" would otherwise send other memory of this process.
 */
export function tryBytes(value: unknown): Uint8Array | undefined {
  if (!isUint8Array(value)) return undefined;
  const length = byteLengthOf.call(value);
  // Of a buffer that was transferred to another thread, no view can be made.
  return length === 0 ? new Uint8Array(0) : new Uint8Array(arrayBufferOf.call(value), byteOffsetOf.call(value), length);
}

/** `instanceof`, but of any realm: test runners such as Jest have classes of their own. */
export function isUint8Array(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && tagOf.call(value) === 'Uint8Array';
}

const tagOf = getterOf(Symbol.toStringTag);
const byteLengthOf = getterOf('byteLength');
const byteOffsetOf = getterOf('byteOffset');
const arrayBufferOf = getterOf('buffer');

/** A getter that all typed arrays inherit. `any`: what it returns depends on the key. */
function getterOf(key: PropertyKey): (this: ArrayBufferView) => any {
  const { get } = Object(Reflect.getOwnPropertyDescriptor(Reflect.getPrototypeOf(Uint8Array.prototype) ?? {}, key));
  return get;
}

/** A `u32`, big-endian. Bytes that are missing are 0. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return readUint16(bytes, at) * 0x1_0000 + readUint16(bytes, at + 2);
}

/** A `u16`, big-endian. Bytes that are missing are 0. */
export function readUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 0x100 + (bytes[at + 1] ?? 0);
}

/** The same memory. */
export function bufferOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

/** Whether the bytes are this text in UTF-8. */
export function equalsText(bytes: Uint8Array, text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit > MAX_ASCII) return Buffer.from(text).equals(bytes);
    if (unit !== bytes[at]) return false;
  }
  return bytes.length === text.length;
}

const MAX_ASCII = 0x7f;

/** Node's, because not every test environment has a global one. Made at its first use: a launch that gets a receipt needs none. */
let decoder: InstanceType<typeof import('node:util').TextDecoder> | undefined;

/** The text, with its byte order mark if it has one; `undefined` if the bytes are not UTF-8. */
export function tryDecode(bytes: Uint8Array): string | undefined {
  decoder ??= newDecoder();
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function newDecoder(): NonNullable<typeof decoder> {
  const { TextDecoder } = process.getBuiltinModule('node:util');
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
}
