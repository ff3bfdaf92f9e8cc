import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { legacy } from '../../src/codecs/legacy.ts';
import vectors from '../fixtures/legacy-clients.json' with { type: 'json' };
import { codeOf, decode, type HostileExample, MARKER, testFormat } from '../helpers/codec-compliance.ts';
import { legacyFormat } from '../helpers/legacy-format.ts';

const codec = legacyFormat;
const MIB = 1_048_576;

/** What the Python clients sent, and its fields: a secret is the first, and a single empty field means none. */
const captured = vectors.cases.map(({ name, args, secret, bytes }) => {
  const parts = secret === null ? args : [secret, ...args];
  return { name, parts, message: parts.join('') === '' ? [] : parts, bytes: Buffer.from(bytes, 'hex') };
});

const others = [
  { name: 'an HTTP request', start: `POST /${MARKER} HTTP/1.1\r\n` },
  { name: 'an HTTP request without a carriage return', start: `GET /${MARKER} HTTP/1.0\n` },
  { name: 'an HTTP request by a method in lower case', start: `patch /${MARKER} HTTP/1.1\r\n` },
  { name: 'an HTTP request by a method of its own', start: `M-X1 /${MARKER} HTTP/1.1\r\n` },
  { name: 'the HTTP/2 preface', start: 'PRI * HTTP/2.0\r\n' },
  { name: 'a TLS hello', start: '\u{16}\u{3}\u{1}\u{2}\0' },
  { name: 'an SSH banner', start: `SSH-2.0-${MARKER}\r\n` },
];

const hostile: readonly HostileExample[] = [
  ...others.map(({ name, start }) => foreignExample(name, `${start}${MARKER}\0`)),
  foreignExample('the magic of the structured codecs', 0xf5, 'SSL\r\n', 0x1a, `\n${MARKER}\0`),
  truncated('a message without its last NUL', `${MARKER}\0${MARKER}`),
  truncated('a message that breaks off inside a character', MARKER, 0xc3),
  unreadable('a byte that UTF-8 never has', MARKER, 0xff, '\0'),
  unreadable('a continuation byte alone', MARKER, 0x80, '\0'),
  unreadable('a character cut short by a NUL', MARKER, 0xe2, 0x82, '\0'),
  unreadable('an overlong NUL', MARKER, 0xc0, 0x80, '\0'),
  unreadable('an encoded surrogate', MARKER, 0xed, 0xa0, 0x80, '\0'),
  unreadable('a code point beyond Unicode', MARKER, 0xf4, 0x90, 0x80, 0x80, '\0'),
];

testFormat({ format: codec, examples: captured, hostile, capabilities: { isDelimited: false, headerBytes: 0 } });

describe('legacyFormat.encode', () => {
  test.each(captured)('encodes arguments as the Python client does: $name', ({ parts, bytes }) => {
    expect(Buffer.from(codec.encode(parts)).toString('hex')).toBe(bytes.toString('hex'));
  });

  test.each([
    ['a NUL', 'a\0b'],
    ['a high surrogate alone', 'a\u{d83d}'],
    ['a low surrogate alone', '\u{de80}b'],
    ['surrogates in the wrong order', '\u{de80}\u{d83d}'],
  ])('refuses %s in any argument', (_, argument) => {
    for (const args of [[argument], ['a', argument], [argument, '']]) {
      expect(codeOf(() => codec.encode(args))).toBe('ERR_SINGLETON_UNENCODABLE');
    }
  });

  test.each(others)('refuses arguments that start like $name', ({ start }) => {
    expect(codeOf(() => codec.encode([start.replace('\0', '')]))).toBe('ERR_SINGLETON_UNENCODABLE');
  });

  test.each(others)('encodes arguments that start like $name after the first', ({ start }) => {
    const args = ['first', start.replace('\0', '')];
    expect(decode(codec, [codec.encode(args)])).toStrictEqual([args]);
  });

  test('throws an error with the position of the argument and without its text', () => {
    expect(() => codec.encode(['a', `${MARKER}\0`])).toThrow(/field 1/);
    expect(() => codec.encode(['a', `${MARKER}\0`])).not.toThrow(MARKER);
  });
});

describe('legacyFormat', () => {
  const most = 65_536;

  test('encodes and decodes up to 65,536 fields and refuses more', () => {
    const bytes = codec.encode(Array<string>(most).fill(''));
    expect(decode(codec, [bytes])[0]).toHaveLength(most);
    expect(() => codec.encode(Array<string>(most + 1).fill(''))).toThrow(/more than 65536/);
    expect(codeOf(() => decode(codec, [Buffer.alloc(most + 1)]))).toBe('ERR_SINGLETON_MESSAGE_TOO_LARGE');
  });
});

describe('legacyFormat.createDecoder', () => {
  test.each([
    ['\0\0', ['', '']],
    ['\0\0\0', ['', '', '']],
    ['\0a\0', ['', 'a']],
    ['a\0\0b\0\0', ['a', '', 'b', '']],
  ])('keeps the empty arguments of %j', (text, args) => {
    expect(decode(codec, [bytesOf(text)])).toStrictEqual([args]);
  });

  test('keeps a byte order mark', () => {
    expect(decode(codec, [bytesOf('\u{feff}a\0\u{feff}\0')])).toStrictEqual([['\u{feff}a', '\u{feff}']]);
  });

  test.each(['\0', 'a\0b\0'])('returns a frozen list for %j', (text) => {
    expect(decode(codec, [bytesOf(text)])[0]).toSatisfy(Object.isFrozen);
  });

  test('reports a stream without a byte as truncated', () => {
    expect(codeOf(() => decode(codec, []))).toBe('ERR_SINGLETON_TRUNCATED_MESSAGE');
  });

  test('refuses bytes after the end of stream', () => {
    const decoder = codec.createDecoder({ maxMessageBytes: 8 });
    decoder.push(bytesOf('a\0'));
    decoder.end();
    expect(codeOf(() => decoder.push(bytesOf('b\0')))).toBe('ERR_SINGLETON_MALFORMED_MESSAGE');
    expect(codeOf(() => decoder.end())).toBe('ERR_SINGLETON_MALFORMED_MESSAGE');
  });

  test('buffers less than 8 MiB for a message of 1 MiB that arrives byte by byte', () => {
    const decoder = codec.createDecoder({ maxMessageBytes: MIB });
    const chunk = bytesOf('x');
    const before = memoryInUse();
    for (let length = 1; length < MIB; length += 1) decoder.push(chunk);
    const growth = memoryInUse() - before;
    decoder.push(bytesOf('\0'));
    expect(decoder.end()).toStrictEqual([['x'.repeat(MIB - 1)]]);
    expect(growth).toBeLessThan(8 * MIB);
  });

  test('does not copy a chunk of 64 MiB beyond the limit', () => {
    const decoder = codec.createDecoder({ maxMessageBytes: MIB });
    const chunk = new Uint8Array(64 * MIB).fill(0x78);
    const before = process.memoryUsage().arrayBuffers;
    expect(codeOf(() => decoder.push(chunk))).toBe('ERR_SINGLETON_MESSAGE_TOO_LARGE');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * MIB);
  });
});

describe('legacy().check', () => {
  const wire = legacy();
  const noLaunch = { wait: false, replace: false, hasEnv: false, allowReplace: false };
  const none = {
    args: [],
    secret: undefined,
    name: '',
    maxMessageBytes: MIB,
    isFirst: true,
    reach: 'machine' as const,
    ...noLaunch,
  };

  test.each([
    ['a string', 'a b'],
    ['nothing', undefined],
    ['an object', { file: 'a' }],
    ['a list with a number', ['a', 1]],
    ['a list with nothing in it', [undefined]],
  ])('refuses arguments that are %s', (_, args) => {
    expect(codeOf(() => wire.check?.({ ...none, args }))).toBe('ERR_SINGLETON_INVALID_OPTION');
  });

  test.each([
    ['has a NUL', bytesOf(MARKER, 0)],
    ['is not UTF-8', bytesOf(MARKER, 0xff)],
    ['starts like SSH', bytesOf(`SSH-2.0-${MARKER}\n`)],
    ['starts like HTTP', bytesOf(`GET / HTTP/1.1\r\n${MARKER}`)],
    ['starts like TLS', bytesOf(`\u{16}\u{3}${MARKER}`)],
    ['is as long as the longest message', bytesOf(MARKER, 'x'.repeat(MIB - MARKER.length))],
  ])('refuses a secret that %s without showing it', (_, secret) => {
    const act = (): unknown => wire.check?.({ ...none, secret });
    expect(codeOf(act)).toBe('ERR_SINGLETON_INVALID_OPTION');
    expect(act).not.toThrow(MARKER);
  });

  test('refuses a name, which the wire cannot carry', () => {
    expect(codeOf(() => wire.check?.({ ...none, name: 'editor' }))).toBe('ERR_SINGLETON_INVALID_OPTION');
  });

  test('accepts any list of strings and a UTF-8 secret', () => {
    const secrets = ['s3cret-Ω', 'SSH-2.0-x', 'a\nGET / HTTP/1.1\r\n', 'x'.repeat(MIB - 1)];
    for (const args of [[], [''], ['a', 'b\0']]) {
      for (const secret of secrets) {
        expect(codeOf(() => wire.check?.({ ...none, args, secret: bytesOf(secret) }))).toBeUndefined();
      }
      expect(codeOf(() => wire.check?.({ ...none, args }))).toBeUndefined();
    }
  });
});

/** Known by its head, so refused at once. */
function foreignExample(name: string, ...parts: readonly (string | number)[]): HostileExample {
  return { name, bytes: bytesOf(...parts), code: 'ERR_SINGLETON_MALFORMED_MESSAGE', refusedBy: 'push' };
}

function truncated(name: string, ...parts: readonly (string | number)[]): HostileExample {
  return { name, bytes: bytesOf(...parts), code: 'ERR_SINGLETON_TRUNCATED_MESSAGE', refusedBy: 'end' };
}

function unreadable(name: string, ...parts: readonly (string | number)[]): HostileExample {
  return { name, bytes: bytesOf(...parts), code: 'ERR_SINGLETON_MALFORMED_MESSAGE', refusedBy: 'end' };
}

function bytesOf(...parts: readonly (string | number)[]): Uint8Array {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part))));
}

/** Bytes that garbage collection leaves. */
function memoryInUse(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
