import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { legacy } from '../../src/index.ts';
import { SingletonError, type SingletonErrorCode } from '../../src/interface/errors.ts';
import { begin } from '../helpers/acquire.ts';
import { at, type Script } from '../helpers/scripted-transport.ts';

beforeEach(() => {
  vi.spyOn(Math, 'random').mockReturnValue(0);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

it('a free endpoint makes a hold, which connects to nobody', async () => {
  const { transport, hold, result } = begin({ listen: ['free'] });
  expect(await result).toBeUndefined();
  expect(hold.isListening).toBe(true);
  expect(transport.steps).toEqual(['listen']);
});

it('a taken endpoint makes a client, which hands its arguments over', async () => {
  const { transport, hold, result } = begin({ listen: ['taken'], connect: ['host'] });
  expect(await result).toEqual({ outcome: 'unconfirmed' });
  expect(hold.isListening).toBe(false);
  expect(transport.connections.map(({ received }) => received)).toEqual(['a\0b\0']);
});

it('an endpoint that is taken, then has nobody, then is free makes a host', async () => {
  const { transport, hold, result } = begin({ listen: ['taken', 'free'], connect: ['nobody'] });
  expect(await result).toBeUndefined();
  expect(hold.isListening).toBe(true);
  expect(transport.steps).toEqual(['listen', 'connect', 'listen']);
});

it('a host that resets and is gone is followed', async () => {
  const { transport, hold, result } = begin({ listen: ['taken', 'free'], connect: ['reset'] });
  expect(await result).toBeUndefined();
  expect(hold.isListening).toBe(true);
  expect(transport.steps).toEqual(['listen', 'connect', 'hand-off', 'listen']);
});

it('a client tries again after resets and nobody, and encodes its launch once', async () => {
  const codec = legacy();
  const prepare = vi.spyOn(codec.protocol, 'outbound');
  const script: Script = { listen: ['taken'], connect: ['reset', 'nobody', 'reset', 'host'] };
  const { transport, result } = begin(script, { codec });
  expect(await result).toEqual({ outcome: 'unconfirmed' });
  expect(transport.steps.filter((step) => step === 'listen')).toHaveLength(4);
  expect(transport.connections.map(({ received }) => received)).toEqual(['a\0b\0', 'a\0b\0', 'a\0b\0']);
  expect(prepare).toHaveBeenCalledExactlyOnceWith(
    { args: ['a', 'b'], cwd: process.cwd(), pid: process.pid, wait: false },
    expect.anything(),
  );
});

it('a host that is silent until the deadline is HOST_UNRESPONSIVE, and its connection is reset', async () => {
  const { transport, result } = begin({ listen: ['taken'], connect: ['silent'] }, { deliveryTimeout: 20 });
  await expect(result).rejects.toMatchObject({
    code: 'ERR_SINGLETON_HOST_UNRESPONSIVE',
    message: expect.stringMatching(/scripted:\/\/endpoint.* 20 ms \(deliveryTimeout\)/),
  });
  expect(transport.connections).toMatchObject([{ wasReset: true, destroyed: true }]);
});

it('a connect that hangs until the deadline is HOST_UNRESPONSIVE', async () => {
  const { result } = begin({ listen: ['taken'], connect: ['nobody', 'hanging'] }, { deliveryTimeout: 200 });
  await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
});

it('nobody until the deadline is ENDPOINT_UNAVAILABLE', async () => {
  const { transport, result } = begin({ listen: ['taken'], connect: ['reset', 'nobody'] }, { deliveryTimeout: 300 });
  await expect(result).rejects.toMatchObject({
    code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    message: expect.stringMatching(/scripted:\/\/endpoint.* 300 ms \(deliveryTimeout\)/),
  });
  expect(transport.steps.filter((step) => step === 'connect').length).toBeGreaterThan(2);
});

it('a host that resets until the deadline is HOST_UNRESPONSIVE', async () => {
  const { result } = begin({ listen: ['taken'], connect: ['nobody', 'reset'] }, { deliveryTimeout: 100 });
  await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
});

it('a deadline that passes while a taken endpoint is tried is ENDPOINT_UNAVAILABLE, and nothing is sent', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const onStep = at('listen', () => vi.advanceTimersByTime(10_000));
  const { transport, result } = begin({ listen: ['taken'], connect: ['host'], onStep });
  await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' });
  expect(transport.steps).toEqual(['listen']);
});

it('a deadline that passes while it is tried once more is ENDPOINT_UNAVAILABLE too', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const tries: number[] = [];
  const onStep = at('listen', () => tries.push(1) === 2 && vi.advanceTimersByTime(10_000));
  const { transport, result } = begin({ listen: ['taken'], connect: ['nobody'], onStep });
  const outcome = result.catch((error: unknown) => error);
  // The pause between two tries.
  await vi.advanceTimersByTimeAsync(40);
  expect(await outcome).toMatchObject({ code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' });
  expect(transport.steps).toEqual(['listen', 'connect', 'listen']);
});

it('a try that the deadline would cut short is not begun', async () => {
  const { transport, result } = begin({ listen: ['taken'], connect: ['nobody', 'hanging'] }, { deliveryTimeout: 9 });
  await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' });
  expect(transport.steps).toEqual(['listen', 'connect']);
});

it('the pauses between tries are uneven', async () => {
  const random = vi.mocked(Math.random);
  const { result } = begin({ listen: ['taken'], connect: ['nobody', 'nobody', 'host'] });
  await result;
  expect(random).toHaveBeenCalledTimes(2);
});

it.each([
  ['ERR_SINGLETON_ENDPOINT_UNAVAILABLE', { listen: [failure('ERR_SINGLETON_ENDPOINT_UNAVAILABLE')] }],
  ['ERR_SINGLETON_FOREIGN_HOST', { listen: ['taken', 'free'], connect: ['foreign'] }],
] as const)('%s ends the claim at once', async (code, script) => {
  const { transport, hold, result } = begin(script);
  await expect(result).rejects.toMatchObject({ code });
  expect(transport.steps.filter((step) => step === 'listen')).toHaveLength(1);
  expect(hold.isListening).toBe(false);
});

describe.each([
  ['a connect that fails', { connect: [failure('ERR_SINGLETON_CONNECTION_FAILED')] }, ['a']],
  ['a long launch that breaks off', { connect: ['reset'] }, ['x'.repeat(2000)]],
] as const)('%s', (_, script, args) => {
  it('is CONNECTION_FAILED where the host is still there, and nothing is sent twice', async () => {
    const { transport, result } = begin({ ...script, listen: ['taken'] }, { args });
    await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_CONNECTION_FAILED' });
    expect(transport.steps.filter((step) => step === 'connect')).toHaveLength(1);
  });

  it('makes a host where the other is gone', async () => {
    const { hold, result } = begin({ ...script, listen: ['taken', 'free'] }, { args });
    expect(await result).toBeUndefined();
    expect(hold.isListening).toBe(true);
  });
});

it('arguments that cannot be encoded are refused before anything is sent', async () => {
  const { transport, result } = begin({ listen: ['taken'] }, { args: ['nul\0'] });
  await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_UNENCODABLE' });
  expect(transport.steps).toEqual(['listen']);
});

it('arguments that are too large are refused before anything is sent', async () => {
  const { transport, result } = begin({ listen: ['taken'] }, { args: ['abc'], maxMessageBytes: 3 });
  await expect(result).rejects.toMatchObject({ code: 'ERR_SINGLETON_MESSAGE_TOO_LARGE' });
  expect(transport.steps).toEqual(['listen']);
});

it('arguments that cannot be encoded do not keep a launch from becoming host', async () => {
  const { result } = begin({ listen: ['free'] }, { args: ['nul\0'] });
  expect(await result).toBeUndefined();
});

it('a launch with client: false never connects, whatever its arguments are', async () => {
  const { transport, result } = begin({ listen: ['taken'] }, { client: false, args: ['nul\0'] });
  expect(await result).toEqual({ outcome: 'skipped' });
  expect(transport.steps).toEqual(['listen']);
});

it.each([
  ['a host', { listen: ['free'] }],
  ['a hand-off', { listen: ['taken'] }],
  ['a failure', { listen: ['taken'], connect: ['foreign'] }],
] as const)('no timer and no listener is left after %s', async (_, script) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const controller = new AbortController();
  const { result } = begin(script, {}, controller);
  await result.catch(() => {});
  expect(vi.getTimerCount()).toBe(0);
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
});

function failure(code: SingletonErrorCode): SingletonError {
  return new SingletonError(code, 'No.');
}
