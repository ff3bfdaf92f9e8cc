import { describe, expect, test } from 'vitest';
import { formatRecord, type HostRecord, parseRecord } from '../../../src/transports/lease/record.ts';

const record: HostRecord = { address: '10.1.2.3', port: 7001, id: 'an-id', witness: undefined };
const witness = { boot: 'b', namespace: 'pid:[1]', pid: 7, start: '12' };

describe('parseRecord', () => {
  test.each<HostRecord>([
    record,
    { ...record, address: '2001:db8::1' },
    { ...record, address: 'host.example' },
    { ...record, witness },
    { ...record, witness: { ...witness, time: 'time:[4026531834]' } },
  ])('reads what formatRecord() has written: %o', (one) => {
    expect(parseRecord(formatRecord(one), 'memory:key')).toEqual(one);
  });

  test('ignores members that it does not have', () => {
    const value = JSON.stringify({ ...JSON.parse(formatRecord(record)), since: 1 });
    expect(parseRecord(value, 'memory:key')).toEqual(record);
  });

  test.each([
    '',
    'maintenance until friday',
    'null',
    '7',
    '[]',
    '{}',
    changed({ v: 0 }),
    changed({ v: '1' }),
    changed({ address: '' }),
    changed({ address: 7 }),
    changed({ address: 'a b' }),
    changed({ port: 0 }),
    changed({ port: '7001' }),
    changed({ port: 65_536 }),
    changed({ id: '' }),
    changed({ id: undefined }),
    changed({ witness: null }),
    changed({ witness: { ...witness, pid: 0 } }),
    changed({ witness: { ...witness, pid: -7 } }),
    changed({ witness: { ...witness, start: 12 } }),
    changed({ witness: { ...witness, boot: undefined } }),
    changed({ witness: { ...witness, namespace: '' } }),
    changed({ witness: { ...witness, time: 7 } }),
  ])('refuses what no host has written, and names the key: %s', (value) => {
    expect(() => parseRecord(value, 'memory:key')).toThrow(
      expect.objectContaining({
        code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
        message: expect.stringMatching(/memory:key has a value that no host has written\. Delete it if/),
      }),
    );
  });

  test('says of a newer version what to do', () => {
    expect(() => parseRecord(changed({ v: 2, address: undefined }), 'memory:key')).toThrow(
      /memory:key was written by a newer version of this package\. Update this program/,
    );
  });
});

function changed(members: Record<string, unknown>): string {
  return JSON.stringify({ ...JSON.parse(formatRecord(record)), ...members });
}
