import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { json } from '../../../../src/codecs/json.ts';
import { TypedEmitter } from '../../../../src/core/emitter.ts';
import type { SingletonEvents } from '../../../../src/core/events.ts';
import { VerifyFailures } from '../../../../src/core/host/dispatch/verify-failures.ts';
import { Warnings } from '../../../../src/core/host/dispatch/warnings.ts';
import { resolveOptions } from '../../../../src/core/options/resolve-options.ts';
import { Server } from '../../../../src/core/server.ts';
import { Subscribers } from '../../../../src/core/subscribers.ts';
import { SingletonError, type VerifyFailure } from '../../../../src/index.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

const client = { reason: 'wrong-secret', remoteAddress: '127.0.0.9' } as const;

function create() {
  const emitter = new TypedEmitter<SingletonEvents>();
  const messages: string[] = [];
  emitter.on('warning', ({ message }) => messages.push(message));
  const options = { ...resolveOptions<readonly string[]>({ codec: json<readonly string[]>() }), schema: undefined };
  const server = new Server(
    options,
    () => {},
    () => {},
  );
  const context = {
    options,
    emitter,
    subscribers: new Subscribers<readonly string[], unknown>(() => {}),
    server,
    release: () => {},
  };
  const warnings = new Warnings(context);
  const events: VerifyFailure[] = [];
  const failures = new VerifyFailures(context, warnings, (failure) => events.push(failure));
  const add = (times: number): void => {
    for (let count = 0; count < times; count += 1) failures.add(client);
  };
  return { failures, warnings, events, messages, add };
}

describe('VerifyFailures', () => {
  it('reports a client with its time and the count, and sets no timer', () => {
    const { events, messages, add } = create();
    vi.setSystemTime(new Date('2020-02-02T20:20:20.202Z'));
    add(2);
    const time = new Date('2020-02-02T20:20:20.202Z');
    expect(events).toEqual([
      { ...client, time, count: 1, suppressed: 0 },
      { ...client, time, count: 2, suppressed: 0 },
    ]);
    vi.advanceTimersByTime(60_000);
    expect(messages).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('reports 100 in ten seconds, and then the number of the others although no further client comes', () => {
    const { events, messages, add } = create();
    add(250);
    vi.advanceTimersByTime(9999);
    expect(events).toHaveLength(100);
    expect(messages).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(messages).toEqual(['Too many at once: 150 more refused clients were not reported.']);
    vi.advanceTimersByTime(60_000);
    expect(messages).toHaveLength(1);
    expect(events).toHaveLength(100);
  });

  it('counts in the next event all that failed, and those that had none since the event before', () => {
    const { events, add } = create();
    add(250);
    vi.advanceTimersByTime(10_000);
    add(101);
    vi.advanceTimersByTime(10_000);
    add(1);
    const numbers = events.slice(-102).map(({ count, suppressed }) => [count, suppressed]);
    expect(numbers).toEqual([
      [100, 0],
      [251, 150],
      ...Array.from({ length: 99 }, (_, index) => [252 + index, 0]),
      [352, 1],
    ]);
  });

  it('reports the number of the others although warnings are left out too', () => {
    const { warnings, messages, add } = create();
    add(103);
    vi.advanceTimersByTime(5000);
    for (let count = 0; count < 105; count += 1) warnings.warn(new SingletonError('ERR_SINGLETON_BUSY', 'a warning'));
    vi.advanceTimersByTime(5000);
    expect(messages.slice(100)).toEqual(['Too many at once: 3 more refused clients were not reported.']);
    vi.advanceTimersByTime(5000);
    expect(messages.slice(101)).toEqual(['Too many at once: 5 more warnings were not emitted.']);
  });

  it('reports on end() the number of the others so far, once, and leaves no timer', () => {
    const { failures, messages, add } = create();
    add(103);
    failures.end();
    failures.end();
    expect(messages).toEqual(['Too many at once: 3 more refused clients were not reported.']);
    expect(vi.getTimerCount()).toBe(0);
  });
});
