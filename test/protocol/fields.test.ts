import { describe, expect, test } from 'vitest';
import { SingletonError } from '../../src/interface/errors.ts';
import { decodeFields, encodeFields, FIELD, textField, textsOf } from '../../src/protocol/fields.ts';

const MALFORMED = { code: 'ERR_SINGLETON_MALFORMED_MESSAGE' };

function hex(fields: Parameters<typeof encodeFields>[0]): string {
  return Buffer.from(encodeFields(fields)).toString('hex');
}

function decode(text: string): unknown {
  return decodeFields(Buffer.from(text, 'hex')).map(({ key, value }) => [key, Buffer.from(value).toString('hex')]);
}

const EMPTY = new Uint8Array(0);

describe('a list of fields', () => {
  test('has a key, a length of two bytes and a value for each', () => {
    expect(hex([])).toBe('');
    expect(hex([textField(FIELD.version, '1.2')])).toBe('020003312e32');
    expect(hex([{ key: 200, value: new Uint8Array(0) }, textField(FIELD.message, 'ä')])).toBe('c80000010002c3a4');
  });

  test('decodes to the same, with keys that it does not know and keys that occur twice', () => {
    expect(decode('')).toEqual([]);
    expect(decode('020003312e32')).toEqual([[2, '312e32']]);
    expect(decode('c80000010002c3a4c8000100')).toEqual([
      [200, ''],
      [1, 'c3a4'],
      [200, '00'],
    ]);
  });

  test('fails to decode when it breaks off at any byte but between two fields', () => {
    const bytes = Buffer.from('020003312e32c80000010001ff', 'hex');
    const whole = new Set([0, 6, 9, 13]);
    for (let end = 0; end <= bytes.length; end += 1) {
      const decoding = (): unknown => decodeFields(bytes.subarray(0, end));
      if (whole.has(end)) expect(decoding).not.toThrow();
      else expect(decoding, `${end} bytes`).toThrow(expect.objectContaining(MALFORMED));
    }
  });

  test('has values of up to 65,535 bytes', () => {
    const value = new Uint8Array(65_535).fill(1);
    expect(decodeFields(encodeFields([{ key: 4, value }]))).toEqual([{ key: 4, value: Buffer.from(value) }]);
    const tooLong = { key: 4, value: new Uint8Array(65_536) };
    expect(() => encodeFields([tooLong])).toThrow(expect.objectContaining({ code: 'ERR_SINGLETON_UNENCODABLE' }));
  });

  test('has 4096 fields at most', () => {
    const [most, more] = [4096, 4097].map((count) => encodeFields(Array(count).fill(textField(255, ''))));
    expect(decodeFields(most ?? EMPTY)).toHaveLength(4096);
    expect(() => decodeFields(more ?? EMPTY)).toThrow(
      expect.objectContaining({ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' }),
    );
  });

  test('holds the memory of the message, and copies nothing', () => {
    const bytes = Buffer.from('020003312e32', 'hex');
    const [field] = decodeFields(bytes);
    expect(field?.value.buffer).toBe(bytes.buffer);
  });
});

describe('textsOf()', () => {
  test('returns the texts of one key, in order', () => {
    const fields = [textField(4, 'A=1'), textField(2, '1.0'), textField(4, ''), textField(4, '\u{feff}B=ü')];
    expect(textsOf(fields, 4)).toEqual(['A=1', '', '\u{feff}B=ü']);
    expect(textsOf(fields, 5)).toEqual([]);
  });

  test.each(['ff', 'c3', 'c080', 'eda080', 'f4908080'])('refuses %s, but only in a field of its key', (text) => {
    const fields = [{ key: 9, value: Buffer.from(text, 'hex') }, textField(2, '1')];
    expect(textsOf(fields, 2)).toEqual(['1']);
    let thrown: unknown;
    try {
      textsOf(fields, 9);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SingletonError);
    expect(thrown).toMatchObject(MALFORMED);
  });
});
