import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { legacy } from '../../src/index.ts';
import { SingletonError, type SingletonErrorCode } from '../../src/interface/errors.ts';
import { twoTurns } from '../../src/interface/timers.ts';
import { startAcquire } from '../helpers/acquire.ts';
import { at, type Script } from '../helpers/scripted-transport.ts';

beforeEach(() => {
  vi.spyOn(Math, 'random').mockReturnValue(0);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe('acquire', () => {
  it('listens at a free endpoint, and does not connect', async () => {
    const { transport, server, result } = startAcquire({ listen: ['free'] });
    expect(await result).toBeUndefined();
    expect(server.isListening).toBe(true);
    expect(transport.steps).toEqual(['listen']);
  });

  it('delivers the arguments to the host of a taken endpoint', async () => {
    const { transport, server, result } = startAcquire({ listen: ['taken'], connect: ['host'] });
    expect(await result).toEqual({ outcome: 'unconfirmed' });
    expect(server.isListening).toBe(false);
    expect(transport.connections.map(({ received }) => received)).toEqual(['a\0b\0']);
  });

  it('listens when a taken endpoint has no host and is then free', async () => {
    const { transport, server, result } = startAcquire({ listen: ['taken', 'free'], connect: ['no-host'] });
    expect(await result).toBeUndefined();
    expect(server.isListening).toBe(true);
    expect(transport.steps).toEqual(['listen', 'connect', 'listen']);
  });

  it('listens when the host resets and the endpoint is then free', async () => {
    const { transport, server, result } = startAcquire({ listen: ['taken', 'free'], connect: ['reset'] });
    expect(await result).toBeUndefined();
    expect(server.isListening).toBe(true);
    expect(transport.steps).toEqual(['listen', 'connect', 'deliver', 'listen']);
  });

  it('tries again after resets and missing hosts, and encodes the launch once', async () => {
    const codec = legacy();
    const prepare = vi.spyOn(codec.protocol, 'outbound');
    const script: Script = { listen: ['taken'], connect: ['reset', 'no-host', 'reset', 'host'] };
    const { transport, result } = startAcquire(script, { codec });
    expect(await result).toEqual({ outcome: 'unconfirmed' });
    expect(transport.steps.filter((step) => step === 'listen')).toHaveLength(4);
    expect(transport.connections.map(({ received }) => received)).toEqual(['a\0b\0', 'a\0b\0', 'a\0b\0']);
    expect(prepare).toHaveBeenCalledExactlyOnceWith(
      { args: ['a', 'b'], cwd: process.cwd(), pid: process.pid, wait: false, version: undefined, env: {} },
      expect.anything(),
    );
  });

  it('rejects with ENDPOINT_UNAVAILABLE and sends nothing when the deadline expires during the first listen', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const onStep = at('listen', expire);
    const { transport, result } = startAcquire({ listen: ['taken'], connect: ['host'], onStep });
    await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' });
    expect(transport.steps).toEqual(['listen']);
  });

  it('rejects with ENDPOINT_UNAVAILABLE when the deadline expires during the second listen', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const tries: number[] = [];
    const onStep = at('listen', () => tries.push(1) === 2 && expire());
    const { transport, result } = startAcquire({ listen: ['taken'], connect: ['no-host'], onStep });
    const outcome = result.catch((error: unknown) => error);
    // The pause between two tries.
    await vi.advanceTimersByTimeAsync(40);
    expect(await outcome).toMatchObject({ code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' });
    expect(transport.steps).toEqual(['listen', 'connect', 'listen']);
  });

  it('rejects with HOST_UNRESPONSIVE and resets the connection when the host is silent until the deadline', async () => {
    const { transport, result } = startAcquire({ listen: ['taken'], connect: ['silent'] }, { deliveryTimeout: 200 });
    await expect(result).rejects.toMatchObject({
      code: 'ERR_SINGLETON_HOST_UNRESPONSIVE',
      message: expect.stringMatching(/scripted:\/\/endpoint.* 200 ms \(deliveryTimeout\)/),
    });
    expect(transport.connections).toMatchObject([{ wasReset: true, destroyed: true }]);
  });

  it('rejects with HOST_UNRESPONSIVE when a connect hangs until the deadline', async () => {
    const { result } = startAcquire({ listen: ['taken'], connect: ['no-host', 'hanging'] }, { deliveryTimeout: 200 });
    await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
  });

  it('rejects with ENDPOINT_UNAVAILABLE when there is no host until the deadline', async () => {
    const { transport, result } = startAcquire(
      { listen: ['taken'], connect: ['reset', 'no-host'] },
      { deliveryTimeout: 300 },
    );
    await expect(result).rejects.toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      isInUse: true,
      message: expect.stringMatching(/scripted:\/\/endpoint.* 300 ms \(deliveryTimeout\)/),
    });
    expect(transport.steps.filter((step) => step === 'connect').length).toBeGreaterThan(2);
  });

  it('rejects with HOST_UNRESPONSIVE when the host resets until the deadline', async () => {
    const { result } = startAcquire({ listen: ['taken'], connect: ['no-host', 'reset'] }, { deliveryTimeout: 300 });
    await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
  });

  it('does not begin an attempt that the deadline would cut short', async () => {
    const { transport, result } = startAcquire(
      { listen: ['taken'], connect: ['no-host', 'hanging'] },
      { deliveryTimeout: 9 },
    );
    await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' });
    expect(transport.steps).toEqual(['listen', 'connect']);
  });

  it('adds jitter to the pauses between attempts', async () => {
    const random = vi.mocked(Math.random);
    const { result } = startAcquire({ listen: ['taken'], connect: ['no-host', 'no-host', 'host'] });
    await result;
    expect(random).toHaveBeenCalledTimes(2);
  });

  it.each([
    ['ERR_SINGLETON_ENDPOINT_UNAVAILABLE', { listen: [failure('ERR_SINGLETON_ENDPOINT_UNAVAILABLE')] }],
    ['ERR_SINGLETON_FOREIGN_HOST', { listen: ['taken', 'free'], connect: ['foreign'] }],
  ] as const)('rejects at once with %s', async (code, script) => {
    const { transport, server, result } = startAcquire(script);
    await expect(result).rejects.toMatchObject({ code });
    expect(transport.steps.filter((step) => step === 'listen')).toHaveLength(1);
    expect(server.isListening).toBe(false);
  });
});

describe.each([
  ['a connect that fails', { connect: [failure('ERR_SINGLETON_CONNECTION_FAILED')] }, ['a']],
  ['a long launch that breaks off', { connect: ['reset'] }, ['x'.repeat(2000)]],
] as const)('acquire, after %s,', (_, script, args) => {
  it('rejects with CONNECTION_FAILED and sends nothing twice if the host is still there', async () => {
    const { transport, result } = startAcquire({ ...script, listen: ['taken'] }, { args });
    await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
    expect(transport.steps.filter((step) => step === 'connect')).toHaveLength(1);
  });

  it('listens if the endpoint is free', async () => {
    const { server, result } = startAcquire({ ...script, listen: ['taken', 'free'] }, { args });
    expect(await result).toBeUndefined();
    expect(server.isListening).toBe(true);
  });
});

describe('acquire', () => {
  it('refuses arguments that cannot be encoded before it connects', async () => {
    const { transport, result } = startAcquire({ listen: ['taken'] }, { args: ['nul\0'] });
    await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_UNENCODABLE' });
    expect(transport.steps).toEqual(['listen']);
  });

  it('refuses arguments that are too large before it connects', async () => {
    const { transport, result } = startAcquire({ listen: ['taken'] }, { args: ['abc'], maxMessageBytes: 3 });
    await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_MESSAGE_TOO_LARGE' });
    expect(transport.steps).toEqual(['listen']);
  });

  it('listens although its arguments cannot be encoded', async () => {
    const { result } = startAcquire({ listen: ['free'] }, { args: ['nul\0'] });
    expect(await result).toBeUndefined();
  });

  it('never connects with client: false, whatever the arguments are', async () => {
    const { transport, result } = startAcquire({ listen: ['taken'] }, { client: false, args: ['nul\0'] });
    expect(await result).toEqual({ outcome: 'skipped' });
    expect(transport.steps).toEqual(['listen']);
  });

  it.each([
    ['a host', { listen: ['free'] }],
    ['a delivery', { listen: ['taken'] }],
    ['a failure', { listen: ['taken'], connect: ['foreign'] }],
  ] as const)('leaves no timer and no listener after %s', async (_, script) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const controller = new AbortController();
    const { result } = startAcquire(script, {}, controller);
    await result.catch(() => {});
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });
});

/** The time of the deadline, and the two turns in which it lets what has arrived be read. */
async function expire(): Promise<void> {
  vi.advanceTimersByTime(10_000);
  await twoTurns();
}

function failure(code: SingletonErrorCode): SingletonError {
  return new SingletonError(code, 'No.');
}
