import { describe, expect, it } from 'vitest';
import { lengthPrefixed } from '../../src/codecs/length-prefixed.ts';
import { Singleton, SingletonError, tcp } from '../../src/index.ts';
import { checkOptionNames } from '../../src/interface/option-names.ts';
import { memory } from '../../src/transports/memory.ts';
import { fromJavaScript } from '../helpers/javascript-caller.ts';

const NAMES = { address: true, port: true, secret: true, releaseThreshold: true, maxClients: true } as const;

describe('checkOptionNames', () => {
  it.each([
    ['prot', 'port'],
    ['Port', 'port'],
    ['ports', 'port'],
    ['secrets', 'secret'],
    ['sercet', 'secret'],
    ['adress', 'address'],
    ['release_threshold', 'releaseThreshold'],
    ['max-clients', 'maxClients'],
    ['releaseTreshhold', 'releaseThreshold'],
  ])('refuses "%s" and suggests "%s"', (name, nearest) => {
    expect(messageOf(() => checkOptionNames({ [name]: 1 }, NAMES))).toBe(
      `Option "${name}" is unknown. Did you mean "${nearest}"?`,
    );
  });

  it.each(['host', 'constructor', '__proto__', 'toString', '', 'x'.repeat(100_000)])(
    'refuses %j, which resembles no option, with all names',
    (name) => {
      expect(messageOf(() => checkOptionNames(JSON.parse(`{ "${name}": 1 }`), NAMES))).toBe(
        `Option "${name}" is unknown. The options are address, port, secret, releaseThreshold, maxClients.`,
      );
    },
  );

  it('suggests the nearest of several', () => {
    const names = { maxPending: true, maxSending: true, sending: true } as const;
    expect(messageOf(() => checkOptionNames({ maxSendin: 1 }, names))).toContain('"maxSending"?');
    expect(messageOf(() => checkOptionNames({ sendin: 1 }, names))).toContain('"sending"?');
  });

  it('refuses an unknown option that is undefined', () => {
    expect(messageOf(() => checkOptionNames({ prot: undefined }, NAMES))).toContain('"prot"');
  });

  it('ignores symbols, and properties that are inherited or not enumerable', () => {
    const options = Object.create({ prot: 1 }, { secrets: { value: 1 } });
    options[Symbol('port')] = 1;
    expect(messageOf(() => checkOptionNames(options, NAMES))).toBeUndefined();
  });

  it.each([
    ['null', null],
    ['1 (number)', 1],
    ['an array of 0', []],
    ['a function', tcp],
  ])('refuses %s instead of an object', (described, options) => {
    expect(messageOf(() => checkOptionNames(options, NAMES))).toBe(
      `Option "options": expected an object, got ${described}.`,
    );
  });
});

describe('a function with options', () => {
  const serializer = { serialize: () => Buffer.of(), deserialize: () => 1 };

  it.each([
    ['new Singleton()', 'port', () => new Singleton(fromJavaScript({ prot: 1 }))],
    ['new Singleton()', 'secret', () => new Singleton(fromJavaScript({ secrets: 'sesame' }))],
    ['tcp()', 'address', () => tcp(Object({ adress: '127.0.0.1' }))],
    ['memory()', 'latency', () => memory(Object({ latncy: 1 }))],
    ['lengthPrefixed()', 'reply', () => lengthPrefixed(Object({ name: 'a', ...serializer, replay: serializer }))],
  ])('refuses a misspelled option: %s suggests "%s"', (_, nearest, act) => {
    expect(messageOf(act)).toMatch(new RegExp(`^Option "\\w+" is unknown. Did you mean "${nearest}"\\?$`));
  });

  it.each([
    ['acquire', () => Singleton.acquire(fromJavaScript({ prot: 1 }))],
    ['send', () => Singleton.send(fromJavaScript({ prot: 1 }))],
  ])('rejects a misspelled option of Singleton.%s()', async (_, act) => {
    await expect(act()).rejects.toMatchObject({
      code: 'ERR_SINGLETON_INVALID_OPTION',
      message: 'Option "prot" is unknown. Did you mean "port"?',
    });
  });
});

/** The message of the refusal; `undefined` if there is none. */
function messageOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(SingletonError);
    expect(error).toMatchObject({ code: 'ERR_SINGLETON_INVALID_OPTION' });
    return error instanceof Error ? error.message : '';
  }
}
