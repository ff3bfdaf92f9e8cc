import type { Codec } from '../interface/codec.ts';
import { SingletonError } from '../interface/errors.ts';
import { tryDecode } from '../interface/bytes.ts';
import { lengthPrefixed } from './length-prefixed.ts';
import { MAX_DEPTH, MAX_NODES, assertSerializable } from './serializable.ts';

/**
 * Arguments and replies as JSON. A value arrives as it was sent, or is rejected (-0 arrives as 0). The types `T` of
 * the arguments and `R` of replies are not checked; use a `schema` to check `T`.
 */
export function json<T = unknown, R = unknown>(): Codec<T, R> {
  return lengthPrefixed<T, R>({ name: 'json', ...serializer, reply: serializer });
}

const serializer = { serialize, deserialize };

function serialize(value: unknown): Uint8Array {
  assertSerializable(value, 'JSON', isScalar);
  return Buffer.from(JSON.stringify(value));
}

function isScalar(value: unknown): boolean {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}

/** `any`, as from `JSON.parse`. */
function deserialize(bytes: Uint8Array): any {
  const text = tryDecode(bytes);
  if (text === undefined) throw invalidValueError('it is not UTF-8');
  scan(text);
  try {
    // A reviver makes parsing several times slower.
    const mayHaveProto = text.includes('__proto__') || text.includes(ESCAPED_UNIT);
    return mayHaveProto ? JSON.parse(text, refuseProto) : JSON.parse(text);
  } catch (error) {
    // Without the cause, which quotes the peer.
    throw error instanceof SingletonError ? error : invalidValueError('it is not JSON');
  }
}

/** What a key may have in place of a letter. */
const ESCAPED_UNIT = String.raw`\u`;

function refuseProto(key: string, value: unknown): unknown {
  if (key === '__proto__') throw invalidValueError('it has a key "__proto__"');
  return value;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Bounds depth and number of values before parsing. Invalid JSON is left to the parser. */
function scan(text: string): void {
  const { length } = text;
  let depth = 0;
  let nodes = 1;
  for (let at = 0; at < length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) at = endOfString(text, at + 1);
    else if (unit === COMMA) nodes += 1;
    else if (unit < OPEN_LIST) continue;
    else if (unit === OPEN_LIST || unit === OPEN_OBJECT) {
      depth += 1;
      if (depth > MAX_DEPTH) throw invalidValueError(`it is nested deeper than ${MAX_DEPTH} levels`);
      const next = text.charCodeAt(at + 1);
      if (next !== CLOSE_LIST && next !== CLOSE_OBJECT) nodes += 1;
    } else if (unit === CLOSE_LIST || unit === CLOSE_OBJECT) depth -= 1;
  }
  if (nodes > MAX_NODES) throw invalidValueError(`it holds more than ${MAX_NODES} values`);
}

/** The index of the quote that ends a string, or the length if there is none. */
function endOfString(text: string, start: number): number {
  let quote = text.indexOf('"', start);
  while (quote !== -1) {
    let backslashes = 0;
    while (quote - backslashes > start && text.charCodeAt(quote - backslashes - 1) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return quote;
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
}

function invalidValueError(problem: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_MALFORMED_MESSAGE',
    `Could not decode a value as JSON: ${problem}. The peer may run another version of the program.`,
  );
}
