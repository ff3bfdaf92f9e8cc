import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { frames } from '../../src/protocol/frames.ts';
import { codeOf, decode, type HostileExample, MARKER, testFormat } from '../helpers/codec-compliance.ts';

const MIB = 1_048_576;

const examples = [
  { name: 'a frame without a body', message: { kind: 3, body: new Uint8Array(0) }, bytes: hex('00000001 03') },
  { name: 'a frame of one byte', message: { kind: 0, body: Uint8Array.of(0xff) }, bytes: hex('00000002 00 ff') },
  {
    name: 'a frame whose body looks like frames',
    message: { kind: 127, body: Uint8Array.of(0, 0, 0, 1, 3, 0, 0, 0, 0) },
    bytes: hex('0000000a 7f 000000010300000000'),
  },
  {
    name: 'a frame whose length has two bytes',
    message: { kind: 1, body: new Uint8Array(300).fill(0x61) },
    bytes: hex(`0000012d 01 ${'61'.repeat(300)}`),
  },
];

const hostile: readonly HostileExample[] = [
  {
    name: 'a frame without a kind',
    bytes: hex(`00000000 ${toHex(MARKER)}`),
    code: 'ERR_SINGLETON_MALFORMED_MESSAGE',
    refusedBy: 'push',
  },
  {
    name: 'a frame without a kind after a good one',
    bytes: hex(`0000000c 01 ${toHex(MARKER)} 00000000`),
    code: 'ERR_SINGLETON_MALFORMED_MESSAGE',
    refusedBy: 'push',
  },
  {
    name: 'a frame of the greatest length',
    bytes: hex(`ffffffff ${toHex(MARKER)}`),
    code: 'ERR_SINGLETON_MESSAGE_TOO_LARGE',
    refusedBy: 'push',
  },
  {
    name: 'a frame of a length that has its highest bit alone',
    bytes: hex(`80000000 ${toHex(MARKER)}`),
    code: 'ERR_SINGLETON_MESSAGE_TOO_LARGE',
    refusedBy: 'push',
  },
  {
    name: 'a frame that lacks its last byte',
    bytes: hex(`0000000d 01 ${toHex(MARKER)}`),
    code: 'ERR_SINGLETON_TRUNCATED_MESSAGE',
    refusedBy: 'end',
  },
  {
    name: 'a length that breaks off after a good frame',
    bytes: hex(`0000000c 01 ${toHex(MARKER)} 000000`),
    code: 'ERR_SINGLETON_TRUNCATED_MESSAGE',
    refusedBy: 'end',
  },
  {
    name: 'a length alone after a good frame',
    bytes: hex(`0000000c 01 ${toHex(MARKER)} 00000001`),
    code: 'ERR_SINGLETON_TRUNCATED_MESSAGE',
    refusedBy: 'end',
  },
];

testFormat({ format: frames, examples, hostile, capabilities: { isDelimited: true, headerBytes: 4 } });

describe('frames.createDecoder', () => {
  test('returns no frames for a stream without a byte', () => {
    expect(decode(frames, [])).toStrictEqual([]);
  });

  test('returns all frames of one chunk at once', () => {
    const decoder = frames.createDecoder({ maxMessageBytes: 1 });
    const [example] = examples;
    expect(decoder.push(Buffer.alloc(50_000, example?.bytes))).toStrictEqual(Array(10_000).fill(example?.message));
  });

  test('applies the limit to each frame, without its length field', () => {
    expect(decode(frames, [hex('00000002 01 aa 00000002 01 aa')], 2)).toHaveLength(2);
    expect(codeOf(() => decode(frames, [hex('00000002 01 aa 00000003 01 aa aa')], 2))).toBe(
      'ERR_SINGLETON_MESSAGE_TOO_LARGE',
    );
  });

  test('does not change returned frames when more bytes arrive', () => {
    const decoder = frames.createDecoder({ maxMessageBytes: 3 });
    const first = decoder.push(hex('00000003 01 aabb'));
    decoder.push(hex('00000003 02 ccdd 00000003'));
    expect(first).toStrictEqual([{ kind: 1, body: Uint8Array.of(0xaa, 0xbb) }]);
  });

  test('refuses bytes after the end of stream', () => {
    for (const late of [hex('00000001 01'), new Uint8Array(0)]) {
      const decoder = frames.createDecoder({ maxMessageBytes: 8 });
      decoder.end();
      expect(codeOf(() => decoder.push(late))).toBe('ERR_SINGLETON_MALFORMED_MESSAGE');
      expect(codeOf(() => decoder.end())).toBe('ERR_SINGLETON_MALFORMED_MESSAGE');
    }
  });

  test('refuses a length over the limit before a byte of the body has arrived', () => {
    const decoder = frames.createDecoder({ maxMessageBytes: MIB });
    expect(codeOf(() => decoder.push(hex('00100000')))).toBeUndefined();
    const other = frames.createDecoder({ maxMessageBytes: MIB });
    expect(codeOf(() => other.push(hex('00100001')))).toBe('ERR_SINGLETON_MESSAGE_TOO_LARGE');
  });

  test('does not copy a body of 64 MiB over the limit', () => {
    const decoder = frames.createDecoder({ maxMessageBytes: MIB });
    const chunk = Buffer.concat([hex('04000000'), Buffer.alloc(64 * MIB)]);
    const before = process.memoryUsage().arrayBuffers;
    expect(codeOf(() => decoder.push(chunk))).toBe('ERR_SINGLETON_MESSAGE_TOO_LARGE');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MIB);
  });

  test('allocates nothing for a length at the limit before the body arrives', () => {
    const decoders = Array.from({ length: 64 }, () => frames.createDecoder({ maxMessageBytes: MIB }));
    const before = memoryInUse();
    for (const decoder of decoders) decoder.push(hex('00100000 01'));
    expect(memoryInUse() - before).toBeLessThan(MIB);
    expect(decoders.map((decoder) => codeOf(() => decoder.end()))).not.toContain(undefined);
  });

  test('holds less than 8 MiB for a frame of 1 MiB that arrives byte by byte', () => {
    const decoder = frames.createDecoder({ maxMessageBytes: MIB });
    decoder.push(hex('00100000'));
    const chunk = Buffer.from('x');
    const before = memoryInUse();
    for (let length = 1; length < MIB; length += 1) decoder.push(chunk);
    const growth = memoryInUse() - before;
    const [frame] = decoder.push(chunk);
    expect(growth).toBeLessThan(8 * MIB);
    expect(Buffer.alloc(MIB - 1, 'x').equals(frame?.body ?? chunk)).toBe(true);
  });
});

function hex(text: string): Uint8Array {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

function toHex(text: string): string {
  return Buffer.from(text).toString('hex');
}

/** Bytes that garbage collection leaves. */
function memoryInUse(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
