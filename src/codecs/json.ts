import type { Codec } from '../interface/codec.ts';
import { SingletonError } from '../interface/errors.ts';
import { tryDecode } from '../protocol/utf8.ts';
import { lengthPrefixed } from './length-prefixed.ts';
import { MAX_DEPTH, MAX_NODES, assertSerializable } from './serializable.ts';

/**
 * Arguments and replies as JSON: what arrives is what was sent, or it fails (-0 arrives as 0). `T`, of arguments, and `R`, of
 * replies, are the caller's word; a `schema` makes sure of `T`.
 */
export function json<T = unknown, R = unknown>(): Codec<T, R> {
  return lengthPrefixed<T, R>({ name: 'json', ...serializer, reply: serializer });
}

const serializer = { serialize, deserialize };

function serialize(value: unknown): Uint8Array {
  assertSerializable(value, 'JSON', isLeaf);
  return Buffer.from(JSON.stringify(value));
}

function isLeaf(value: unknown): boolean {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}

/** `any`, as from `JSON.parse`. */
function deserialize(bytes: Uint8Array): any {
  const text = tryDecode(bytes);
  if (text === undefined) throw refused('UTF-8; what came is not');
  scan(bytes);
  try {
    // Only where it can matter: it takes several times as long.
    return /__proto__|\\u/.test(text) ? JSON.parse(text, refuseProto) : JSON.parse(text);
  } catch (error) {
    // What the parser says quotes the client.
    throw error instanceof SingletonError ? error : refused('JSON; what came is not');
  }
}

function refuseProto(key: string, value: unknown): unknown {
  if (key === '__proto__') throw refused('no key "__proto__"; one came');
  return value;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Counts depth and values before anything is made of them. What is not JSON at all is left to the parser. */
function scan(bytes: Uint8Array): void {
  let depth = 0;
  let nodes = 1;
  for (let at = 0; at < bytes.length; at += 1) {
    switch (bytes[at]) {
      case QUOTE:
        at += 1;
        while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth += 1;
        if (depth > MAX_DEPTH) throw refused(`at most ${MAX_DEPTH} levels; more came`);
        if (bytes[at + 1] !== 0x5d && bytes[at + 1] !== 0x7d) nodes += 1;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth -= 1;
        break;
      case 0x2c: // ,
        nodes += 1;
        break;
    }
    if (nodes > MAX_NODES) throw refused(`at most ${MAX_NODES} values; more came`);
  }
}

function refused(expected: string): SingletonError {
  return new SingletonError('ERR_SINGLETON_MALFORMED_MESSAGE', `Expected a value in JSON: ${expected}.`);
}
