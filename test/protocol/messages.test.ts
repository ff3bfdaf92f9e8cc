import { describe, expect, test } from 'vitest';
import { frames } from '../../src/protocol/frames.ts';
import { decodeLaunch, encodeLaunch } from '../../src/protocol/launch.ts';
import {
  decodeReceipt,
  decodeRefusal,
  decodeStatus,
  encodeReceipt,
  encodeRefusal,
  encodeStatus,
  type Frame,
} from '../../src/protocol/messages.ts';
import {
  decodeExit,
  decodeResize,
  decodeSignal,
  decodeWindowUpdate,
  encodeExit,
  encodeResize,
  encodeSignal,
  encodeWindowUpdate,
} from '../../src/protocol/session/messages.ts';
import { codeOf } from '../helpers/codec-compliance.ts';

const MALFORMED = 'ERR_SINGLETON_MALFORMED_MESSAGE';

const args = Buffer.of(0xde, 0xad);
const launch = {
  args,
  cwd: '/tmp/Ω',
  pid: 5678,
  wait: false,
  version: '1.2',
  env: env({ LANG: 'C', EMPTY: '' }),
  terminals: {},
};
const FIELDS = '0200 03 312e32 0400 06 4c414e473d43 0400 06 454d5054593d';
const LAUNCH = hex(`01 00 0000162e 0007 2f746d702fcea9 00000018 ${FIELDS} dead`);
/** What a launch has if nothing is given. */
const nothing = { cwd: undefined, pid: undefined, wait: false, version: undefined, env: env({}), terminals: {} };

const receipt = { outcome: 'throttled', client: 258, pid: 5678, since: 1_760_000_000_000.5, version: '1.2' } as const;
const RECEIPT = hex('02 02 00000102 0000162e 42799c82cc000800 0200 03 312e32');

describe('a launch', () => {
  test('consists of kind, flags, pid, working directory, fields and arguments', () => {
    expect(wire(encodeLaunch(launch))).toBe(LAUNCH.toString('hex'));
    expect(decodeLaunch(frame(LAUNCH))).toEqual(launch);
  });

  test('has zeros for a pid and a working directory that it does not contain', () => {
    expect(wire(encodeLaunch({ args }))).toBe('010000000000000000000000dead');
    expect(decodeLaunch(encodeLaunch({ args }))).toEqual({ args, ...nothing });
  });

  test('allows the greatest pid, a working directory of 65,535 bytes and no arguments', () => {
    const most = { ...nothing, args: Buffer.alloc(0), cwd: 'x'.repeat(65_535), pid: 0xffff_ffff, wait: true };
    expect(decodeLaunch(encodeLaunch(most))).toEqual(most);
  });

  test('omits a working directory of 65,536 bytes', () => {
    for (const cwd of ['x'.repeat(65_536), 'Ω'.repeat(32_768)]) {
      expect(decodeLaunch(encodeLaunch({ ...launch, cwd }))).toEqual({ ...launch, cwd: undefined });
    }
  });

  test('keeps a byte order mark of its working directory', () => {
    expect(decodeLaunch(encodeLaunch({ ...launch, cwd: '\u{feff}/' }))).toMatchObject({ cwd: '\u{feff}/' });
  });

  test('fails to decode when it breaks off before its arguments, and else has fewer of them', () => {
    const codes = Array.from({ length: 44 }, (_, end) => {
      return codeOf(() => decodeLaunch({ kind: 1, body: LAUNCH.subarray(1, 1 + end) }));
    });
    expect(codes).toStrictEqual([...Array<string>(42).fill(MALFORMED), undefined, undefined]);
    expect(decodeLaunch(frame(LAUNCH.subarray(0, -1)))).toEqual({ ...launch, args: Buffer.of(0xde) });
  });

  test('waits if bit 0 of its flags is set', () => {
    expect(wire(encodeLaunch({ ...launch, wait: true }))).toBe(changed(LAUNCH, 1, 1).toString('hex'));
    expect(decodeLaunch(frame(changed(LAUNCH, 1, 1)))).toEqual({ ...launch, wait: true });
  });

  test.each([2, 3, 4, 8, 16, 32, 64, 128, 255])(
    'fails to decode with the flags %i, since only bit 0 has a meaning',
    (flags) => {
      expect(codeOf(() => decodeLaunch(frame(changed(LAUNCH, 1, flags))))).toBe(MALFORMED);
    },
  );

  test.each([0, 2, 3, 4, 255])('fails to decode with the kind %i', (kind) => {
    expect(codeOf(() => decodeLaunch({ ...frame(LAUNCH), kind }))).toBe(MALFORMED);
  });

  test('fails to decode if the working directory is longer than the launch', () => {
    expect(codeOf(() => decodeLaunch(frame(hex('01 00 00000000 0003 6161 00000000'))))).toBe(MALFORMED);
    expect(codeOf(() => decodeLaunch(frame(hex('01 00 00000000 ffff 00000000'))))).toBe(MALFORMED);
  });

  test.each(['ff', 'ce', 'c080', 'eda080', 'f4908080'])('fails to decode if the working directory is %s', (path) => {
    const size = `000${path.length / 2}`;
    expect(codeOf(() => decodeLaunch(frame(hex(`01 00 00000000 ${size} ${path} 00000000 a9`))))).toBe(MALFORMED);
  });

  test('keeps arguments that are not UTF-8 unchanged', () => {
    expect(decodeLaunch(frame(hex('01 00 00000000 0000 00000000 ff00fe')))).toMatchObject({
      args: Buffer.of(0xff, 0, 0xfe),
    });
  });

  test('skips fields that it does not know, and takes the last one of a key', () => {
    const fields = 'ff 0002 abcd 02 0001 61 02 0001 62';
    expect(decodeLaunch(frame(hex(`01 00 00000000 0000 0000000d ${fields}`)))).toMatchObject({ version: 'b' });
  });

  test.each([
    ['breaks off in the head of a field', '02 00'],
    ['breaks off in a value', '02 0002 61'],
    ['has a version that is not UTF-8', '02 0001 ff'],
    ['has a variable without "="', '04 0001 61'],
    ['has a variable with a NUL', '04 0003 613d00'],
    ['has a variable without a name', '04 0002 3d61'],
    ['has a terminal of 5 bytes', '03 0005 0108005000'],
  ])('fails to decode if it %s', (_, fields) => {
    const length = hex(fields).length.toString(16).padStart(8, '0');
    expect(codeOf(() => decodeLaunch(frame(hex(`01 01 00000000 0000 ${length} ${fields}`))))).toBe(MALFORMED);
  });

  test('has the terminals of stdout and stderr, and ignores those of other streams', () => {
    const stdout = { colorDepth: 24, columns: 80, rows: 24 };
    const terminals = { stdout, stderr: { colorDepth: 1, columns: 65_535, rows: 0 } };
    expect(decodeLaunch(encodeLaunch({ args, terminals, wait: true }))).toMatchObject({ terminals });
    expect(decodeLaunch(encodeLaunch({ args, terminals }))).toMatchObject({ terminals: {} });
    const more = '03 0008 0118 0050 0018 aaaa 03 0006 0318 0050 0018';
    expect(decodeLaunch(frame(hex(`01 01 00000000 0000 00000014 ${more}`)))).toMatchObject({ terminals: { stdout } });
  });

  test('may have a variable with any name, and a value with "="', () => {
    const odd = env({ __proto__x: '', constructor: 'a=b', 'a b': '\n' });
    Object.defineProperty(odd, '__proto__', { value: 'own', enumerable: true });
    expect(decodeLaunch(encodeLaunch({ args, env: odd })).env).toEqual(odd);
  });

  test('cannot be encoded with a variable that is longer than a field', () => {
    const codes = [65_533, 65_534].map((length) =>
      codeOf(() => encodeLaunch({ args, env: { A: 'x'.repeat(length) } })),
    );
    expect(codes).toEqual([undefined, 'ERR_SINGLETON_UNENCODABLE']);
  });
});

describe('a receipt', () => {
  test.each([NaN, Infinity, -Infinity, 8.64e15 + 1])(
    'fails to decode with %d as its time, which is no date',
    (since) => {
      expect(() => decodeReceipt(encodeReceipt({ ...receipt, since }))).toThrow('a valid time');
    },
  );

  test('consists of kind, outcome, number, pid and time', () => {
    expect(wire(encodeReceipt(receipt))).toBe(RECEIPT.toString('hex'));
    expect(decodeReceipt(frame(RECEIPT))).toEqual(receipt);
  });

  test.each([
    ['delivered', 1],
    ['throttled', 2],
    ['released', 3],
  ] as const)('encodes the outcome %s as %i', (outcome, code) => {
    expect(encodeReceipt({ ...receipt, outcome }).body[0]).toBe(code);
    expect(decodeReceipt(encodeReceipt({ ...receipt, outcome }))).toEqual({ ...receipt, outcome });
  });

  test('fails to decode with any other outcome', () => {
    for (let code = 0; code < 256; code += 1) {
      const isKnown = code >= 1 && code <= 3;
      expect(codeOf(() => decodeReceipt(frame(changed(RECEIPT, 1, code))))).toBe(isKnown ? undefined : MALFORMED);
    }
  });

  test('fails to decode when it breaks off in its fixed part or in a field', () => {
    const long = Buffer.concat([RECEIPT, Buffer.of(0)]);
    for (let end = 1; end <= long.length; end += 1) {
      const code = codeOf(() => decodeReceipt(frame(long.subarray(0, end))));
      expect(code).toBe(end === RECEIPT.length || end === 18 ? undefined : MALFORMED);
    }
  });

  test('fails to decode with the number 0', () => {
    expect(codeOf(() => decodeReceipt(encodeReceipt({ ...receipt, client: 0 })))).toBe(MALFORMED);
  });
});

describe('a refusal', () => {
  test.each([
    ['ERR_SINGLETON_INVALID_ARGS', 1],
    ['ERR_SINGLETON_MESSAGE_TOO_LARGE', 2],
    ['ERR_SINGLETON_MALFORMED_MESSAGE', 3],
    ['ERR_SINGLETON_BUSY', 4],
    ['not-taken', 5],
    ['ERR_SINGLETON_LISTENER_FAILED', 6],
    ['ERR_SINGLETON_RELEASED', 7],
    ['ERR_SINGLETON_REPLACE_REFUSED', 8],
  ] as const)('encodes %s as the byte %i', (refusal, code) => {
    expect(wire(encodeRefusal(refusal))).toBe(`030${code}`);
    expect(decodeRefusal({ kind: 3, body: Uint8Array.of(code) })).toEqual({ refusal, text: undefined });
  });

  test('has a text, which is cut at 255 bytes and not within a character', () => {
    expect(wire(encodeRefusal('ERR_SINGLETON_BUSY', 'ü'))).toBe('0304010002c3bc');
    expect(decodeRefusal(encodeRefusal('ERR_SINGLETON_BUSY', 'ü'))).toMatchObject({ text: 'ü' });
    expect(decodeRefusal(encodeRefusal('ERR_SINGLETON_BUSY', 'x'.repeat(300)))).toMatchObject({
      text: 'x'.repeat(255),
    });
    expect(decodeRefusal(encodeRefusal('ERR_SINGLETON_BUSY', '🚀'.repeat(64)))).toMatchObject({
      text: '🚀'.repeat(63),
    });
  });

  test('fails to decode with any other reason, with none or with half of a field', () => {
    const bodies = [[0], ...Array.from({ length: 247 }, (_, index) => [9 + index]), [], [1, 1], [1, 0]];
    for (const body of bodies) {
      expect(codeOf(() => decodeRefusal({ kind: 3, body: Uint8Array.from(body) }))).toBe(MALFORMED);
    }
  });
});

describe('an exit status and a window update', () => {
  test('consist of one byte, and of four bytes', () => {
    expect(wire(encodeExit(255))).toBe('05ff');
    expect(wire(encodeWindowUpdate(262_144))).toBe('0900040000');
    for (let code = 0; code < 256; code += 1) expect(decodeExit(encodeExit(code))).toBe(code);
    for (const bytes of [0, 1, 65_536, 0xffff_ffff]) expect(decodeWindowUpdate(encodeWindowUpdate(bytes))).toBe(bytes);
  });

  test('fail to decode with any other length', () => {
    for (let length = 0; length < 8; length += 1) {
      const body = new Uint8Array(length);
      expect(codeOf(() => decodeExit({ kind: 5, body }))).toBe(length === 1 ? undefined : MALFORMED);
      expect(codeOf(() => decodeWindowUpdate({ kind: 9, body }))).toBe(length === 4 ? undefined : MALFORMED);
    }
  });
});

const status = {
  pid: 5678,
  since: 1_760_000_000_000.5,
  clients: 1,
  pending: 2,
  sessions: 3,
  version: '1.2',
  codecs: ['json', 'legacy'],
};
const STATUS = hex(
  '0b 0000162e 42799c82cc000800 00000001 00000002 00000003 0200 03 312e32 0500 04 6a736f6e 0500 06 6c6567616379',
);

describe('a status', () => {
  test('consists of kind, pid, time, the three numbers and fields', () => {
    expect(wire(encodeStatus(status))).toBe(STATUS.toString('hex'));
    expect(decodeStatus(frame(STATUS))).toEqual(status);
  });

  test('fails to decode when it breaks off in its fixed part', () => {
    for (let end = 1; end < 25; end += 1)
      expect(codeOf(() => decodeStatus(frame(STATUS.subarray(0, end))))).toBe(MALFORMED);
    expect(decodeStatus(frame(STATUS.subarray(0, 25)))).toEqual({ ...status, version: undefined, codecs: [] });
  });
});

describe('a resize and a signal', () => {
  test('consist of one terminal, and of a name', () => {
    const terminals = { stderr: { colorDepth: 8, columns: 80, rows: 24 } };
    const resizes = encodeResize(terminals);
    expect(resizes.map(wire)).toEqual(['0e020800500018']);
    expect(resizes.map(decodeResize)).toEqual([terminals]);
    expect(wire(encodeSignal('SIGINT'))).toBe('0f534947494e54');
    expect(decodeSignal(encodeSignal('SIGUSR2'))).toBe('SIGUSR2');
  });

  test.each(['', 'sigint', 'SIG INT', 'SIGINT\n', 'S'.repeat(17)])('fail to decode with the name %j', (name) => {
    expect(codeOf(() => decodeSignal(encodeSignal(name)))).toBe(MALFORMED);
  });
});

const MESSAGES: [string, Buffer, (frame: Frame) => unknown][] = [
  ['a launch', LAUNCH, decodeLaunch],
  ['a receipt', RECEIPT, decodeReceipt],
  ['a refusal', hex('03 04'), decodeRefusal],
  ['a status', STATUS, decodeStatus],
  ['an exit', hex('05 07'), decodeExit],
  ['a resize', hex('0e 01080050 0018'), decodeResize],
  ['a signal', hex('0f 534947494e54'), decodeSignal],
  ['a window update', hex('09 00010000'), decodeWindowUpdate],
];

describe('every message', () => {
  test.each(MESSAGES)('decodes to a value or throws a SingletonError with any byte changed: %s', (_, bytes, decode) => {
    for (const at of bytes.keys()) {
      for (let byte = 0; byte < 256; byte += 1) codeOf(() => decode(frame(changed(bytes, at, byte))));
    }
  });

  test.each(MESSAGES)(
    'decodes to the same value when its frame arrives byte by byte after another: %s',
    (_, bytes, decode) => {
      const decoder = frames.createDecoder({ maxMessageBytes: 64 });
      const twice = Buffer.concat([frames.encode(frame(bytes)), frames.encode(frame(bytes))]);
      const messages = Array.from(twice, (byte) => decoder.push(Uint8Array.of(byte)))
        .flat()
        .map(({ kind, body }) => ({ kind, body: Buffer.from(body) }));
      expect(messages.map((message) => decode(message))).toEqual([decode(frame(bytes)), decode(frame(bytes))]);
    },
  );
});

/** The message that a frame of these bytes, its kind first, carries: a view into more. */
function frame(bytes: Buffer): Frame {
  return { kind: bytes.readUInt8(0), body: bytes.subarray(1) };
}

/** Without a prototype, as it is decoded. */
function env(variables: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.assign(Object.create(null), variables);
}

function wire({ kind, body }: Frame): string {
  return Buffer.concat([Buffer.of(kind), body]).toString('hex');
}

function changed(bytes: Buffer, at: number, byte: number): Buffer {
  return Buffer.from(bytes).fill(byte, at, at + 1);
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}
