import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type NetConnectOpts, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Connection, Listener, Transport } from '../../../src/interface/transport.ts';
import type { Witness } from '../../../src/transports/lease/record.ts';
import { formatRecord } from '../../../src/transports/lease/record.ts';
import { createLease } from '../../../src/transports/lease/transport.ts';
import { ownWitness } from '../../../src/transports/lease/witness.ts';
import { tcp } from '../../../src/transports/tcp.ts';
import { pass, passUntil, testClock, useFakeTimers } from '../../helpers/lease-time.ts';
import { type Faults, memoryLeaseStore, MemoryLeaseServer } from '../../helpers/memory-lease-store.ts';
import { listen, never, open, options, unexpected } from '../../helpers/transport-compliance.ts';

/** Whether sockets get no answer, as from a machine without power. */
const network = vi.hoisted(() => ({ isSilent: false }));

vi.mock('node:net', async (importActual) => {
  const actual = await importActual<typeof import('node:net')>();
  const createConnection = (where: NetConnectOpts): Socket =>
    network.isSilent ? new actual.Socket() : actual.createConnection(where);
  return { ...actual, createConnection };
});

const TTL = 6000;

let server: MemoryLeaseServer;
let faults: Faults;

beforeEach(() => {
  useFakeTimers();
  server = new MemoryLeaseServer(() => performance.now());
  faults = {};
});
afterEach(() => {
  network.isSilent = false;
  vi.useRealTimers();
});

describe('lease().connect', () => {
  test('uses the read of listen(), and has the token', async () => {
    const { listener } = await listen(transport());
    const client = transport();
    const before = server.served.read;
    expect(await client.listen(unexpected, options())).toBeUndefined();
    const connection = await open(client);
    expect(connection.token).toBe(listener.token);
    expect(server.served.read).toBe(before + 1);
    await open(client);
    expect(server.served.read).toBe(before + 2);
  });

  test('reads again if the read of listen() is more than a second old', async () => {
    const { listener } = await listen(transport());
    const client = transport();
    await client.listen(unexpected, options());
    await listener.close();
    await pass(1001);
    const before = server.served.read;
    expect(await client.connect({ signal: never(), onRetry: unexpected })).toBeUndefined();
    expect(server.served.read).toBe(before + 1);
  });

  test('rejects for a value that a person has written, which listen() takes for a host', async () => {
    server.write('maintenance', TTL);
    expect(await transport().listen(unexpected, options())).toBeUndefined();
    await expect(transport().connect({ signal: never() })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message: expect.stringContaining('memory:key'),
    });
  });

  test.each(['reports the change', 'is silent'])(
    'waits while the host refuses, until the key is free; the store %s',
    async (how) => {
      server.isSilent = how === 'is silent';
      await holdRefused();
      const onRetry = vi.fn();
      const connecting = transport().connect({ signal: never(), onRetry });
      await pass(500);
      expect(onRetry.mock.calls).toMatchObject([[{ message: expect.stringMatching(/tcp:.*refused/) }]]);
      server.clear();
      await pass(how === 'is silent' ? 600 : 0);
      expect(await connecting).toBeUndefined();
      expect(server.served.read).toBe(2);
      expect(server.watchers).toBe(0);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  test('asks once a second while it waits, and connects to the next host', async () => {
    await holdRefused();
    const connecting = transport().connect({ signal: never() });
    await pass(4500);
    expect(server.served.read).toBe(5);
    const { listener } = await listen(tcp({ port: 0 }));
    holdAt(listener);
    const connection = await passUntil(connecting);
    onTestFinished(() => void connection?.destroy());
    expect(connection?.token).toBe(server.held?.token);
  });

  test('rejects with the reason of the signal while it waits', async () => {
    await holdRefused();
    const controller = new AbortController();
    const connecting = transport().connect({ signal: controller.signal });
    await pass(500);
    const reason = new Error('too late');
    controller.abort(reason);
    await expect(connecting).rejects.toBe(reason);
    expect(server.watchers).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('gives up after 2 seconds without an answer, and when the key changes', async () => {
    await holdRefused();
    network.isSilent = true;
    const onRetry = vi.fn();
    const connecting = transport().connect({ signal: never(), onRetry });
    await pass(1999);
    expect(onRetry).not.toHaveBeenCalled();
    await pass(1);
    expect(onRetry.mock.calls).toMatchObject([[{ message: expect.stringMatching(/no answer within 2000 ms/) }]]);
    await pass(1500);
    server.clear();
    await pass(0);
    expect(await connecting).toBeUndefined();
    expect(onRetry.mock.calls.slice(1)).toMatchObject([[{ message: expect.stringMatching(/key has changed/) }]]);
  });
});

describe.skipIf(process.platform !== 'linux')('lease().connect, on the machine of the host,', () => {
  test('evicts a host whose process has ended', async () => {
    await holdRefused({ start: '1' });
    expect(await transport().connect({ signal: never() })).toBeUndefined();
    expect(server.served.evict).toBe(1);
    expect(server.held).toBeUndefined();
  });

  test.each<[string, Partial<Witness>]>([
    ['whose process runs', {}],
    ['of another boot', { boot: 'another', start: '1' }],
  ])('does not evict a host %s', async (_, changes) => {
    await holdRefused(changes);
    const controller = new AbortController();
    const connecting = transport().connect({ signal: controller.signal });
    await pass(1500);
    controller.abort(new Error('too late'));
    await expect(connecting).rejects.toThrow('too late');
    expect(server.served.evict).toBe(0);
  });
});

describe.skipIf(process.platform !== 'linux')('lease(), in standby on the machine of the host,', () => {
  test('evicts a host whose process has ended, and acquires the key', async () => {
    await holdRefused({ start: '1' });
    const { listener } = await listen(transport());
    expect([server.served.evict, server.held?.token]).toEqual([1, listener.token]);
  });

  test('leaves the eviction to connect() if that follows', async () => {
    await holdRefused({ start: '1' });
    expect(await transport().listen(unexpected, { ...options(), skipProbe: true })).toBeUndefined();
    expect(server.served.evict).toBe(0);
  });

  test('leaves a value that no host has written', async () => {
    server.write('by hand', 100 * TTL);
    expect(await transport().listen(unexpected, options())).toBeUndefined();
  });

  test('reports within a second that the process has ended, without a request to the store', async () => {
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    await once(child, 'spawn');
    const pid = child.pid ?? expect.fail();
    await holdRefused({ pid, start: readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[21] ?? '' });
    const standby = transport();
    expect(await standby.listen(unexpected, options())).toBeUndefined();
    const requests = Object.values(server.served);
    const onChange = vi.fn<() => void>();
    const watcher = standby.watch?.(onChange);
    await pass(5000);
    expect(onChange).not.toHaveBeenCalled();
    child.kill('SIGKILL');
    await once(child, 'exit');
    await pass(1000);
    expect(onChange).toHaveBeenCalledOnce();
    watcher?.close();
    await pass(5000);
    expect(onChange).toHaveBeenCalledOnce();
    expect(Object.values(server.served)).toEqual(requests);
    expect([server.watchers, vi.getTimerCount()]).toEqual([0, 0]);
  });
});

describe('a connection of lease()', () => {
  test('is reset at once if the host has lost the key and has sent nothing', async () => {
    const { client } = await connected();
    await pass(300);
    server.clear();
    await pass(0);
    expect(client.destroyed).toBe(true);
    await pass(0);
    expect(server.watchers).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is reset 2 seconds after that if the host has sent something', async () => {
    const { client, host } = await connected();
    host.write('hello');
    await new Promise((resolve) => client.once('data', resolve));
    await pass(300);
    server.clear();
    await pass(1999);
    expect(client.destroyed).toBe(false);
    await pass(1);
    expect(client.destroyed).toBe(true);
  });

  test('stays open while a host that has given up the key sends something', async () => {
    const { client, host } = await connected();
    const send = async (): Promise<void> => {
      host.write('.');
      await new Promise((resolve) => client.once('data', resolve));
    };
    await send();
    await pass(300);
    server.clear();
    for (let count = 0; count < 3; count += 1) {
      await pass(1999);
      await send();
    }
    expect(client.destroyed).toBe(false);
    await pass(4000);
    expect(client.destroyed).toBe(true);
  });

  test('is reset if the key was lost before the store was watched', async () => {
    const { client } = await connected();
    server.clear();
    await pass(299);
    expect(client.destroyed).toBe(false);
    await pass(1);
    expect(client.destroyed).toBe(true);
  });

  test('is reset half a TTL later if the store does not report the change', async () => {
    const { client } = await connected();
    await pass(300);
    server.isSilent = true;
    server.clear();
    await pass(TTL / 2 - 1);
    expect(client.destroyed).toBe(false);
    await pass(1);
    expect(client.destroyed).toBe(true);
  });

  test('stays open while the host has the key, and while the store cannot be reached', async () => {
    const { client } = await connected();
    await pass(5 * TTL);
    faults.before = () => Promise.reject(new Error('unreachable'));
    server.report();
    await pass(2500);
    expect(client.destroyed).toBe(false);
  });

  test('is not guarded in its first 300 ms, nor after its end', async () => {
    const before = server.watchers;
    const { client } = await connected();
    const timers = vi.getTimerCount();
    client.destroy();
    await new Promise((resolve) => client.once('close', resolve));
    expect(vi.getTimerCount()).toBe(timers - 1);
    await pass(TTL);
    expect(server.watchers).toBe(before);
  });
});

function transport(): Transport {
  const store = memoryLeaseStore({ server, faults });
  return createLease({ store, ttl: TTL, advertise: { address: '127.0.0.1' } }, testClock());
}

/** A holder of the key, at a port that nothing listens on, with the witness of this process and these changes. */
async function holdRefused(changes: Partial<Witness> = {}): Promise<void> {
  const { listener } = await listen(tcp({ port: 0 }));
  await listener.close();
  const own = ownWitness();
  holdAt(listener, own && { ...own, ...changes });
}

/** A holder of the key at the port of a listener, which does not notice that it loses the key. */
function holdAt({ endpoint }: Listener, witness?: Witness): void {
  const port = Number(new URL(endpoint).port);
  server.write(formatRecord({ address: '127.0.0.1', port, id: 'an-id', witness }), 100 * TTL);
}

/** A connection to such a holder. */
async function connected(): Promise<{ client: Connection; host: Connection }> {
  const { listener, nextAccepted } = await listen(tcp({ port: 0 }));
  holdAt(listener);
  const accepted = nextAccepted();
  const client = await open(transport());
  return { client, host: await accepted };
}
