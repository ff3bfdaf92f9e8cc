import type { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { SingletonError, type SingletonErrorCode } from '../../src/interface/errors.ts';
import { encodeClientHello, encodeHostHello, STATUS } from '../../src/protocol/hello.ts';
import { readClientHello, readHostHello, readUpTo } from '../helpers/read.ts';
import { duplexPair } from '../helpers/duplex-pair.ts';

const MAGIC = 'f553534c0d0a1a0a';
const SECURED = hex(`${MAGIC} 01 01 04 06 6a736f6e 656469746f72`);
const PLAIN = hex(`${MAGIC} 01 00 01 00 78`);
const HELLO = hex(`${MAGIC} 01 00 0000`);

type Outcome = SingletonErrorCode | object | number | undefined;

describe('the client hello', () => {
  test.each([
    ['secured', SECURED, { isSecured: true, codec: Buffer.from('json'), application: Buffer.from('editor') }],
    ['plain', PLAIN, { isSecured: false, codec: Buffer.from('x'), application: Buffer.alloc(0) }],
  ])('has these bytes when it is %s, and decodes to the same', async (_, bytes, hello) => {
    expect(Buffer.from(encodeClientHello(hello))).toStrictEqual(bytes);
    expect(await outcome(readClientHello, bytes)).toEqual({ ...hello, bytes });
  });

  test('holds a codec and an application of 255 bytes each', async () => {
    const [codec, application] = [Buffer.alloc(255, 'c'), Buffer.alloc(255, 'a')];
    const bytes = encodeClientHello({ isSecured: false, codec, application });
    expect(bytes).toHaveLength(522);
    expect(await outcome(readClientHello, bytes)).toMatchObject({ codec, application });
  });

  test('decodes to the same when it arrives byte by byte', async () => {
    for (const bytes of [SECURED, PLAIN]) {
      expect(await arriving(readClientHello, bytes)).toEqual(await outcome(readClientHello, bytes));
    }
  });

  test('leaves the bytes after it', async () => {
    const [wire, connection] = duplexPair();
    wire.write(Buffer.concat([SECURED, Buffer.from('launch')]));
    await readClientHello(connection);
    expect(String(await readUpTo(connection, 6))).toBe('launch');
  });

  test('leaves the bytes after it when the connection has ended, too', async () => {
    const [wire, connection] = duplexPair();
    wire.end(Buffer.concat([SECURED, Buffer.from('launch')]));
    await turn();
    await readClientHello(connection);
    await turn();
    expect(String(await readUpTo(connection, 7))).toBe('launch');
  });

  test('leaves the bytes after it when it arrives in two parts, at any split', async () => {
    const bytes = Buffer.concat([PLAIN, Buffer.from('launch')]);
    for (let split = 1; split < bytes.length; split += 1) {
      const [wire, connection] = duplexPair();
      const reading = readClientHello(connection);
      wire.write(bytes.subarray(0, split));
      await turn();
      wire.write(bytes.subarray(split));
      expect(await reading).toMatchObject({ bytes: PLAIN });
      expect(String(await readUpTo(connection, 6))).toBe('launch');
    }
  });

  test('fails as truncated when it breaks off at any byte', async () => {
    for (let end = 1; end < SECURED.length; end += 1) {
      expect(await outcome(readClientHello, SECURED.subarray(0, end))).toBe('ERR_SINGLETON_TRUNCATED_MESSAGE');
    }
  });

  test('is missing when the connection ends without a byte', async () => {
    expect(await outcome(readClientHello, Buffer.alloc(0))).toBeUndefined();
  });

  test('fails as truncated when the connection is closed in the middle', async () => {
    const [wire, connection] = duplexPair();
    const reading = settled(readClientHello(connection));
    wire.write(SECURED.subarray(0, 10));
    await turn();
    connection.destroy();
    expect(await reading).toBe('ERR_SINGLETON_TRUNCATED_MESSAGE');
  });

  test('fails, or differs, when any bit is flipped', async () => {
    const outcomes = await eachBit(readClientHello, SECURED);
    for (const bits of outcomes.slice(0, 8))
      expect(bits).toStrictEqual(Array(8).fill('ERR_SINGLETON_MALFORMED_MESSAGE'));
    expect(outcomes[8]).toStrictEqual(Array(8).fill(STATUS.version));
    expect(outcomes[9]?.[0]).toMatchObject({ isSecured: false });
    // A client that also speaks a later version; and flags that no version has.
    expect(outcomes[9]?.[1]).toMatchObject({ isSecured: true });
    expect(outcomes[9]?.slice(2)).toStrictEqual(Array(6).fill(STATUS.flag));
    expect(outcomes[10]?.slice(3)).toStrictEqual(Array(5).fill('ERR_SINGLETON_TRUNCATED_MESSAGE'));
    expect(outcomes[10]?.[2]).toMatchObject({ codec: Buffer.alloc(0), application: Buffer.from('jsoned') });
    for (const bits of outcomes.slice(12)) for (const other of bits) expect(other).toHaveProperty('isSecured', true);
  });

  test.each(['GET / HTTP/1.1\r\n', 'argument\0', '\u{16}\u{3}'])(
    'is recognized as foreign by its first byte when it is %j',
    async (text) => {
      expect(await whileOpen(readClientHello, Buffer.from(text).subarray(0, 1))).toBe(
        'ERR_SINGLETON_MALFORMED_MESSAGE',
      );
    },
  );

  test('is foreign as soon as a byte of the magic is wrong', async () => {
    expect(await whileOpen(readClientHello, hex('f553 54'))).toBe('ERR_SINGLETON_MALFORMED_MESSAGE');
  });

  test.each(['argument\0', '\0', '\0a', 'two\nlines\0', '/a GET HTTP/1.1\0', `${'x'.repeat(5000)}\0`])(
    'is refused for another codec when a legacy launch has arrived instead: %j',
    async (text) => {
      expect(await whileOpen(readClientHello, Buffer.from(text))).toBe(STATUS.codec);
    },
  );

  test.each([
    ['HTTP', 'GET / HTTP/1.1\r\n\0'],
    ['TLS', '\u{16}\u{3}\u{1}\0'],
    ['SSH', 'SSH-2.0-x\r\n\0'],
    ['text without a NUL', 'hello\r\n'],
    ['bytes that are not UTF-8', Buffer.from('ff00', 'hex')],
  ])('is foreign, and not a legacy launch, when it is %s', async (_, bytes) => {
    expect(await whileOpen(readClientHello, Buffer.from(bytes))).toBe('ERR_SINGLETON_MALFORMED_MESSAGE');
  });

  test('is refused for another version before more bytes arrive', async () => {
    expect(await whileOpen(readClientHello, hex(`${MAGIC} 02`))).toBe(STATUS.version);
  });

  test('is refused for an unknown flag before more bytes arrive', async () => {
    expect(await whileOpen(readClientHello, hex(`${MAGIC} 01 04`))).toBe(STATUS.flag);
  });
});

describe('the host hello', () => {
  test.each(Object.entries(STATUS))('has 12 bytes with the status %s as %i', async (_, status) => {
    const bytes = hex(`${MAGIC} 01 0${status} 0000`);
    expect(Buffer.from(encodeHostHello(status))).toStrictEqual(bytes);
    expect(await outcome(readHostHello, bytes)).toEqual({ version: 1, status, bytes });
    expect(await arriving(readHostHello, bytes)).toEqual({ version: 1, status, bytes });
  });

  test('is foreign as soon as a byte of the magic is wrong', async () => {
    expect(await whileOpen(readHostHello, hex('f553 54'))).toBe('ERR_SINGLETON_FOREIGN_HOST');
  });

  test('numbers its statuses from 0 to 7', () => {
    expect(Object.values(STATUS)).toStrictEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('leaves the bytes after it', async () => {
    const [wire, connection] = duplexPair();
    wire.write(Buffer.concat([HELLO, Buffer.from('handshake')]));
    await readHostHello(connection);
    expect(String(await readUpTo(connection, 9))).toBe('handshake');
  });

  test('decodes to undefined when the connection ends before it is whole', async () => {
    for (const end of HELLO.keys()) expect(await outcome(readHostHello, HELLO.subarray(0, end))).toBeUndefined();
  });

  test('fails as foreign when any bit but those of version, status and features is flipped', async () => {
    const outcomes = await eachBit(readHostHello, HELLO);
    const values = [1, 2, 4, 8, 16, 32, 64, 128];
    expect(outcomes[8]).toMatchObject(values.map((bit) => ({ version: 1 ^ bit, status: 0 })));
    expect(outcomes[9]).toMatchObject(values.map((bit) => ({ version: 1, status: bit })));
    expect(outcomes[11]).toMatchObject(values.map(() => ({ version: 1, status: 0 })));
    for (const bits of [...outcomes.slice(0, 8), ...outcomes.slice(10, 11)]) {
      expect(bits).toStrictEqual(Array(8).fill('ERR_SINGLETON_FOREIGN_HOST'));
    }
  });

  test.each(['220 welcome\r\n', 'HTTP/1.1 400 Bad Request\r\n', '\0', '\u{16}\u{3}'])(
    'fails as foreign at its first byte when it starts like %j',
    async (text) => {
      expect(await whileOpen(readHostHello, Buffer.from(text).subarray(0, 1))).toBe('ERR_SINGLETON_FOREIGN_HOST');
    },
  );

  test('differs from a client hello that is echoed', async () => {
    for (const bytes of [SECURED, PLAIN]) {
      expect(await whileOpen(readHostHello, bytes)).toBe('ERR_SINGLETON_FOREIGN_HOST');
    }
  });
});

type Read = (stream: Duplex) => Promise<object | number | undefined>;

/** The outcome of bytes that arrive at once, followed by the end. */
function outcome(read: Read, bytes: Uint8Array): Promise<Outcome> {
  const [wire, connection] = duplexPair();
  wire.end(bytes);
  return settled(read(connection));
}

/** The outcome of reading bytes after which others may follow. */
function whileOpen(read: Read, bytes: Uint8Array): Promise<Outcome> {
  const [wire, connection] = duplexPair();
  wire.write(bytes);
  return settled(read(connection));
}

/** The outcome of bytes that arrive one by one. */
async function arriving(read: Read, bytes: Uint8Array): Promise<Outcome> {
  const [wire, connection] = duplexPair();
  const reading = settled(read(connection));
  for (const byte of bytes) {
    wire.write(Buffer.of(byte));
    await turn();
  }
  return reading;
}

/** The outcomes of the bytes with each bit of each byte flipped, lowest first. */
function eachBit(read: Read, bytes: Uint8Array): Promise<readonly (readonly Outcome[])[]> {
  const changed = Array.from(bytes, (byte, at) =>
    [1, 2, 4, 8, 16, 32, 64, 128].map((bit) => Buffer.from(bytes).fill(byte ^ bit, at, at + 1)),
  );
  return Promise.all(changed.map((others) => Promise.all(others.map((other) => outcome(read, other)))));
}

/** A value, or the code of a SingletonError; any other error fails the test. */
async function settled(reading: Promise<object | number | undefined>): Promise<Outcome> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof SingletonError) return error.code;
    throw error;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}
