import { EventEmitter, once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { SingletonError } from '../../../src/interface/errors.ts';
import type { Listener, ListenOptions, Transport } from '../../../src/interface/transport.ts';
import { lease, type LeaseOptions } from '../../../src/transports/lease.ts';
import { parseRecord } from '../../../src/transports/lease/record.ts';
import { createLease } from '../../../src/transports/lease/transport.ts';
import { tcp } from '../../../src/transports/tcp.ts';
import { pass, passUntil, testClock, useFakeTimers } from '../../helpers/lease-time.ts';
import { type Faults, memoryLeaseStore, MemoryLeaseServer } from '../../helpers/memory-lease-store.ts';
import { listen as listenOn, open, options, unexpected } from '../../helpers/transport-compliance.ts';

const LOOPBACK = { address: '127.0.0.1' };

let server: MemoryLeaseServer;
let faults: Faults;

beforeEach(() => {
  useFakeTimers();
  server = new MemoryLeaseServer(() => performance.now());
  faults = {};
});
afterEach(() => {
  vi.useRealTimers();
});

describe('lease()', () => {
  test('has what its store and its TTL say', () => {
    expect(lease({ store: memoryLeaseStore({ server }), ttl: 4000 })).toMatchObject({
      endpoint: 'memory:key',
      reach: 'network',
      takeoverTime: 11_000,
      advice: 'Check the store in memory.',
    });
  });

  test.each<[string, Record<string, unknown>]>([
    ['store', { store: undefined }],
    ['store', { store: {} }],
    ['ttl', { ttl: 999 }],
    ['ttl', { ttl: '6000' }],
    ['ttl', { ttl: Infinity }],
    ['listen', { listen: null }],
    ['listen.address', { listen: { address: '' } }],
    ['listen.port', { listen: { port: 65_536 } }],
    ['advertise', { advertise: '10.1.2.3' }],
    ['advertise.address', { advertise: { address: 7 } }],
    ...['0.0.0.0', '::', '0', '::0', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0', 'fe80::1%eth0'].map((address) => {
      const row: [string, Record<string, unknown>] = ['advertise.address', { advertise: { address } }];
      return row;
    }),
    ['advertise.port', { advertise: { port: -1 } }],
    ['adress', { advertise: { adress: '10.1.2.3' } }],
    ['TTL', { TTL: 6000 }],
  ])('refuses the option %s of %o', (name, given) => {
    const all: object = { store: memoryLeaseStore({ server }), ...given };
    // @ts-expect-error what a caller without types may pass
    expect(() => lease(all)).toThrow(
      expect.objectContaining({
        code: 'ERR_SINGLETON_INVALID_OPTION',
        message: expect.stringContaining(`"${name}"`),
      }),
    );
  });
});

describe('lease().listen', () => {
  test('writes its address under the key, and has the token', async () => {
    const listener = await bind();
    const { address, port, witness } = parseRecord(server.held?.value ?? '', 'memory:key');
    expect(listener).toMatchObject({ address: `tcp://${address}:${port}`, token: server.held?.token });
    expect(listener.isHeld?.()).toBe(true);
    if (process.platform === 'linux') expect(witness).toMatchObject({ pid: process.pid });
  });

  test('asks an unreachable store again, with the reason of each failure, until it answers', async () => {
    let failures = 3;
    faults.before = async () => {
      failures -= 1;
      if (failures >= 0) throw new Error('unreachable');
    };
    const onRetry = vi.fn();
    await bind({}, { onRetry });
    expect(onRetry.mock.calls).toMatchObject([[{ message: 'unreachable' }], [{ message: 'unreachable' }], [{}]]);
  });

  test.each(['rejects', 'does not answer'])(
    'rejects with the reason of the signal when a store that %s',
    async (how) => {
      faults.before = () => (how === 'rejects' ? Promise.reject(new Error('unreachable')) : new Promise(() => {}));
      const controller = new AbortController();
      const onRetry = vi.fn();
      const listening = transport().listen(unexpected, { ...options(), onRetry, signal: controller.signal });
      await pass(20_000);
      const reason = new Error('too late');
      controller.abort(reason);
      await expect(listening).rejects.toBe(reason);
      expect(onRetry.mock.calls.length).toBeGreaterThan(5);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  test('rejects at once with what is final', async () => {
    const denied = new SingletonError('ERR_SINGLETON_ENDPOINT_UNAVAILABLE', 'The password is wrong.');
    faults.before = () => Promise.reject(denied);
    const onRetry = vi.fn();
    await expect(transport().listen(unexpected, { ...options(), onRetry })).rejects.toBe(denied);
    expect(onRetry).not.toHaveBeenCalled();
  });

  test('asks again with the same value if the answer to acquire() was lost', async () => {
    let lost = 1;
    faults.after = async (what) => {
      if (what === 'acquire' && lost-- > 0) throw new Error('lost');
    };
    const listener = await bind({}, { onRetry: () => {} });
    expect(server.served.acquire).toBe(2);
    expect(listener.token).toBe(server.held?.token);
  });

  test('releases a key that it gets after the signal has aborted', async () => {
    const gate = new EventEmitter();
    faults.before = (what) => (what === 'evict' ? Promise.reject(new Error('unreachable')) : undefined);
    faults.after = (what) => (what === 'acquire' ? once(gate, 'answer') : undefined);
    const controller = new AbortController();
    const listening = transport().listen(unexpected, { ...options(), signal: controller.signal });
    await vi.waitUntil(() => server.served.acquire > 0);
    controller.abort(new Error('too late'));
    await expect(listening).rejects.toThrow('too late');
    expect(server.held).toBeDefined();
    gate.emit('answer');
    await pass(0);
    expect(server.held).toBeUndefined();
  });

  test('gives back the key that a request without an answer has got when the signal aborts', async () => {
    faults.after = (what) => (what === 'acquire' ? Promise.reject(new Error('lost')) : undefined);
    const controller = new AbortController();
    const given = { onRetry: () => controller.abort(new Error('too late')), signal: controller.signal };
    await expect(transport().listen(unexpected, { ...options(), ...given })).rejects.toThrow('too late');
    await pass(0);
    expect(server.served).toMatchObject({ acquire: 1, evict: 1 });
    expect(server.held).toBeUndefined();
  });

  test('releases a key that a late request gets after another process has acquired it and released it', async () => {
    const gate = new EventEmitter();
    let requests = 0;
    faults.before = (what) => {
      if (what !== 'acquire') return undefined;
      requests += 1;
      if (requests === 1) return once(gate, 'open');
      server.write('{}', 60_000);
      return undefined;
    };
    const listening = transport().listen(unexpected, { ...options(), onRetry: () => {} });
    expect(await passUntil(listening)).toBeUndefined();
    server.clear();
    gate.emit('open');
    await pass(0);
    expect(server.served).toMatchObject({ acquire: 2, release: 1 });
    expect(server.held).toBeUndefined();
  });

  test('acquires again if its first lease has expired before it was confirmed', async () => {
    const answers = [Infinity, Infinity, 1500, 0];
    faults.after = (what) => {
      const ms = what === 'acquire' ? answers.shift() : 0;
      return ms ? new Promise((resolve) => ms < Infinity && setTimeout(resolve, ms)) : undefined;
    };
    const listener = await bind({ ttl: 6000 }, { onRetry: () => {} });
    expect(server.served).toMatchObject({ acquire: 4, release: 1 });
    expect(listener.token).toBe(server.held?.token);
    expect(listener.isHeld?.()).toBe(true);
  });

  test('names the address that it cannot bind, and does not acquire the key', async () => {
    // From the range for documentation: no machine has it.
    await expect(transport({ listen: { address: '192.0.2.1' } }).listen(unexpected, options())).rejects.toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message: expect.stringContaining('tcp://192.0.2.1:0'),
    });
    expect(server.served.acquire).toBe(0);
  });

  test('rejects after a TTL if another program has the port', async () => {
    const { listener } = await listenOn(tcp({ port: 0 }));
    const port = Number(new URL(listener.endpoint).port);
    const onRetry = vi.fn();
    const listening = transport({ listen: { port } }).listen(unexpected, { ...options(), onRetry });
    await expect(passUntil(listening)).rejects.toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message: expect.stringMatching(new RegExp(`tcp://127.0.0.1:${port}: the port is in use.*"listen"`)),
    });
    expect(onRetry).toHaveBeenCalled();
  });

  test('resolves to undefined if the process that has the port acquires the key', async () => {
    const { listener } = await listenOn(tcp({ port: 0 }));
    const port = Number(new URL(listener.endpoint).port);
    const more = { onRetry: () => server.write('{}', 60_000) };
    const listening = transport({ listen: { port } }).listen(unexpected, { ...options(), ...more });
    expect(await passUntil(listening)).toBeUndefined();
  });

  test.each<[string, Omit<LeaseOptions, 'store'>, string | undefined, string, boolean]>([
    ['the local address', { advertise: {} }, '127.0.0.1', '127.0.0.1', true],
    ['the local address, without its prefix', { advertise: {} }, '::ffff:127.0.0.1', '127.0.0.1', true],
    ['a loopback address if the store has none', { advertise: {} }, undefined, '127.0.0.1', true],
    ['the address that it binds', { listen: { address: '127.0.0.2' }, advertise: {} }, '10.1.2.3', '127.0.0.2', true],
    [
      'the local address if it binds all',
      { listen: { address: '0.0.0.0' }, advertise: {} },
      '10.1.2.3',
      '10.1.2.3',
      false,
    ],
    [
      'the local address if it binds all of IPv6',
      { listen: { address: '::0' }, advertise: {} },
      '10.1.2.3',
      '10.1.2.3',
      false,
    ],
    ['what is given', { listen: LOOPBACK, advertise: { address: 'host.example' } }, '10.1.2.3', 'host.example', false],
    ['a loopback address that is given', {}, '10.1.2.3', '127.0.0.1', false],
  ])('advertises %s', async (_, given, localAddress, expected, warns) => {
    const onWarning = vi.fn();
    const listener = await bind(given, { onWarning }, localAddress);
    expect(listener.address?.replace(/\d+$/, '')).toBe(`tcp://${expected}:`);
    expect(onWarning.mock.calls.length).toBe(warns ? 1 : 0);
    if (warns)
      expect(onWarning.mock.calls).toMatchObject([[{ message: expect.stringMatching(/Other machines.*"advertise"/) }]]);
  });

  test('advertises the port that is given', async () => {
    expect((await bind({ advertise: { ...LOOPBACK, port: 7001 } })).address).toBe('tcp://127.0.0.1:7001');
  });

  test('calls onLost once after a warning, and keeps the connections that it has accepted', async () => {
    const events: string[] = [];
    const host = transport();
    const given = { onWarning: () => events.push('warning'), onLost: () => events.push('lost') };
    const { listener, nextAccepted } = await listenOn(host, given);
    const accepted = nextAccepted();
    await open(transport());
    server.write('{}', 60_000);
    await pass(100);
    expect(events).toEqual(['warning', 'lost']);
    expect(listener.isHeld?.()).toBe(false);
    expect((await accepted).destroyed).toBe(false);
    await listener.close();
    expect(server.served.release).toBe(0);
  });
});

describe('close() of a listener of lease()', () => {
  test('closes the port before it frees the key', async () => {
    const listener = await bind();
    const { address = '' } = listener;
    const port = Number(new URL(address).port);
    let probe: Promise<Listener | undefined> | undefined;
    faults.before = async (what) => {
      if (what === 'release') probe = tcp({ port }).listen(unexpected, options());
      await probe;
    };
    await listener.close();
    const bound = await probe;
    await bound?.close();
    expect(bound?.endpoint).toBe(address);
    expect(server.held).toBeUndefined();
  });

  test('resolves also a second time only when the key is free', async () => {
    const listener = await bind();
    faults.before = () => setImmediate();
    void listener.close();
    await listener.close();
    expect(server.held).toBeUndefined();
  });

  test('resolves, with one warning, when the store cannot be reached', async () => {
    const onWarning = vi.fn();
    const listener = await bind({}, { onWarning });
    faults.before = () => Promise.reject(new Error('unreachable'));
    await Promise.all([listener.close(), listener.close()]);
    expect(onWarning.mock.calls).toMatchObject([
      [{ message: expect.stringMatching(/memory:key could not be released: unreachable\. It expires after 6000 ms/) }],
    ]);
  });
});

function transport(given: Partial<LeaseOptions> = {}, localAddress?: string): Transport {
  const store = memoryLeaseStore({ server, faults, localAddress });
  return createLease({ store, advertise: LOOPBACK, ...given }, testClock());
}

/** Listens until the test ends. */
async function bind(
  given: Partial<LeaseOptions> = {},
  more: Partial<ListenOptions> = {},
  localAddress?: string,
): Promise<Listener> {
  const listener = await passUntil(transport(given, localAddress).listen(unexpected, { ...options(), ...more }));
  if (!listener) throw new Error('the key is held');
  onTestFinished(() => listener.close());
  return listener;
}
