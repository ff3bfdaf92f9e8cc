import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { SingletonError } from '../../../src/interface/errors.ts';
import { etcd, etcdStore } from '../../../src/transports/etcd.ts';

const endpoints = ['http://10.0.0.1:2379'];
const key = 'acme/editor';
const password = 'tr0ub4dor&3';

/** `any`: as a caller in JavaScript may call it. */
const create: (options: any) => unknown = etcd;

function messageOf(options: unknown): string {
  try {
    create(options);
  } catch (error) {
    if (error instanceof SingletonError && error.code === 'ERR_SINGLETON_INVALID_OPTION') return error.message;
    throw error;
  }
  throw new Error('Expected an error; there is none.');
}

describe('etcd()', () => {
  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'Option "options": expected an object'],
    ['an unknown option', { endpoints, key, endpoint: 1 }, 'Did you mean "endpoints"?'],
    [
      'no endpoints',
      { key },
      'Option "endpoints": expected a list of one or more http or https URLs, got a value of type undefined',
    ],
    ['an empty list', { endpoints: [], key }, 'got an empty list'],
    ['one endpoint without a list', { endpoints: endpoints[0], key }, 'Option "endpoints"'],
    [
      'an endpoint without a protocol',
      { endpoints: ['10.0.0.1:2379'], key },
      'Option "endpoints[0]": expected an http or https URL',
    ],
    ['another protocol', { endpoints: [...endpoints, 'etcd://10.0.0.1'], key }, 'Option "endpoints[1]"'],
    ['a query', { endpoints: ['http://10.0.0.1/?a'], key }, 'Option "endpoints[0]"'],
    ['no key', { endpoints }, 'Option "key": expected a non-empty string, got undefined'],
    ['an empty key', { endpoints, key: '' }, 'Option "key"'],
    ['a user without a password', { endpoints, key, username: 'app' }, 'got a value of type undefined'],
    ['a password without a user', { endpoints, key, password }, 'Option "username"'],
    ['an empty user', { endpoints, key, username: '', password }, 'Option "username"'],
    ['a password that is a number', { endpoints, key, username: 'app', password: 12_345 }, 'a value of type number'],
    ['a password in a URL', { endpoints: [`http://app:${encodeURIComponent(password)}@a`], key }, 'Use the options'],
    ['a password in a URL without a list', { endpoints: `http://app:${password}@a`, key }, 'of type string'],
    ['a password in a URL without a protocol', { endpoints: [`app:${password}@a:1`], key }, 'Option "endpoints[0]"'],
    ['a password in a query', { endpoints: [`etcd://a?password=${password}`], key }, 'Option "endpoints[0]"'],
    ['a password that ends a URL', { endpoints: [`http://app:${password}#@a`], key }, 'Option "endpoints[0]"'],
    ['a password before a wrong port', { endpoints: [`http://app:${password}@a:23x`], key }, 'Option "endpoints[0]"'],
    ['tls without https', { endpoints, key, tls: { ca: 'a' } }, 'Option "tls"'],
    ['tls that is no object', { endpoints: ['https://a'], key, tls: password }, 'Option "tls"'],
    ['an unknown option of tls', { endpoints: ['https://a'], key, tls: { cas: 'a' } }, 'Did you mean "ca"?'],
    ['a short ttl', { endpoints, key, ttl: 999 }, 'Option "ttl"'],
    ['an address of no form', { endpoints, key, listen: { address: '/' } }, 'Option "listen.address"'],
    ['an unknown option of advertise', { endpoints, key, advertise: { prot: 1 } }, 'Did you mean "port"?'],
  ])('refuses %s, and shows no password', (_, options, text) => {
    const message = messageOf(options);
    expect(message).toContain(text);
    expect(message).not.toMatch(/tr0ub4dor|12345/);
  });

  it('is named by the key, and needs a secret', () => {
    const transport = etcd({ endpoints: ['https://[::1]:2379/', 'http://proxy/etcd/'], key, tls: { ca: 'a' } });
    expect(transport).toMatchObject({ endpoint: 'etcd:acme/editor', reach: 'network', takeoverTime: 15_000 });
    expect(transport.advice).toMatch(/^Check .* can reach etcd, and the address .*: the cause says which .*\.$/);
  });

  it('shows no password', () => {
    const options = { endpoints, key, username: 'app', password };
    for (const each of [etcd(options), etcdStore(options)]) {
      expect(inspect(each, { depth: Infinity, showHidden: true })).not.toContain('tr0ub4dor');
    }
  });
});

describe('etcdStore()', () => {
  it('refuses an option of etcd() that it does not have', () => {
    // @ts-expect-error It is one of lease().
    expect(() => etcdStore({ endpoints, key, ttl: 6000 })).toThrow('Option "ttl" is unknown');
  });
});
