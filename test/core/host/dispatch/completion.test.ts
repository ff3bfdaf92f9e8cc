import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Completion } from '../../../../src/core/host/dispatch/completion.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** A session that writes down what is asked of it. */
class RecordedSession {
  readonly calls: string[] = [];
  isSettled = false;
  isInUse = false;
  isFlushed = true;
  onChange: () => void = () => {};

  exit(code: number): boolean {
    return this.#settle(`exit ${code}`);
  }

  fail(): boolean {
    return this.#settle('fail');
  }

  reply(): boolean {
    return this.#settle('reply');
  }

  end(): void {
    this.calls.push('end');
  }

  #settle(call: string): boolean {
    this.calls.push(call);
    this.isSettled = true;
    this.onChange();
    return true;
  }
}

function create(isDispatched = true) {
  const session = new RecordedSession();
  const changes = vi.fn<() => void>();
  const completion: Completion = Reflect.construct(Completion, [session, changes]);
  if (isDispatched) completion.dispatched();
  changes.mockClear();
  const call = (...results: readonly (boolean | Promise<boolean>)[]): void => {
    completion.begin();
    completion.add(results);
  };
  return { completion, session, changes, call };
}

describe('Completion', () => {
  it('sends the result of an only listener at once although it has not settled', () => {
    const { session, call } = create();
    call(new Promise<boolean>(() => {}));
    session.reply();
    expect(session.calls).toEqual(['reply', 'end']);
  });

  it('sends the result of one of several listeners when all have settled', async () => {
    const { session, call } = create();
    const work = new AbortController();
    call(
      true,
      once(work.signal, 'abort').then(() => true),
    );
    session.reply();
    expect(session.calls).toEqual(['reply']);
    work.abort();
    await turn();
    expect(session.calls).toEqual(['reply', 'end']);
  });

  it('sends nothing while listeners are being called', () => {
    const { completion, session } = create();
    completion.begin();
    session.reply();
    expect(session.calls).toEqual(['reply']);
    completion.add([true]);
    expect(session.calls).toEqual(['reply', 'end']);
  });

  it('sends nothing before the launch was dispatched, because its listeners may still write', () => {
    const { completion, session, call } = create(false);
    call(true);
    session.reply();
    expect(session.calls).toEqual(['reply']);
    call(new Promise<boolean>(() => {}));
    completion.dispatched();
    expect(session.calls).toEqual(['reply']);
  });

  it('exits with status 0 if all have settled without a result and no stream is in use', () => {
    const { completion, session, call } = create();
    call(true);
    vi.runAllTimers();
    expect(session.calls).toEqual([]);
    completion.finish();
    vi.runAllTimers();
    expect(session.calls).toEqual(['exit 0', 'end']);
  });

  it('exits with status 0 if there was no listener', () => {
    const { completion, session } = create();
    completion.finish();
    vi.runAllTimers();
    expect(session.calls).toEqual(['exit 0', 'end']);
  });

  it('waits while a stream is in use, and a moment longer', () => {
    const { completion, session, call } = create();
    call(true);
    session.isInUse = true;
    completion.finish();
    expect(vi.getTimerCount()).toBe(0);
    session.isInUse = false;
    session.onChange();
    vi.advanceTimersByTime(199);
    expect(session.calls).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(session.calls).toEqual(['exit 0', 'end']);
  });

  it('waits until all output was sent', () => {
    const { completion, session } = create();
    session.isFlushed = false;
    completion.finish();
    expect(vi.getTimerCount()).toBe(0);
    session.isFlushed = true;
    session.onChange();
    vi.runAllTimers();
    expect(session.calls).toEqual(['exit 0', 'end']);
  });

  it('leaves no timer when a result is set meanwhile', () => {
    const { completion, session } = create();
    completion.finish();
    expect(vi.getTimerCount()).toBe(1);
    session.reply();
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ['at once', [false, true]],
    ['later', [true, Promise.resolve(false), Promise.resolve(true)]],
  ])('fails the launch if a listener fails %s', async (_, results) => {
    const { completion, session, call } = create();
    call(...results);
    completion.finish();
    await turn();
    expect(session.calls).toEqual(['fail', 'end']);
  });

  it('counts the listeners that were called and those that have not settled, and reports each change', async () => {
    const { completion, changes, call } = create();
    call(true, Promise.resolve(true));
    expect(completion).toMatchObject({ called: 2, pending: 1 });
    expect(changes).toHaveBeenCalledTimes(1);
    await turn();
    expect(completion).toMatchObject({ called: 2, pending: 0 });
    expect(changes).toHaveBeenCalledTimes(2);
  });
});
