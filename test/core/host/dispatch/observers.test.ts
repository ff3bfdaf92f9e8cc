import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { json } from '../../../../src/codecs/json.ts';
import { TypedEmitter } from '../../../../src/core/emitter.ts';
import type { SingletonEvents } from '../../../../src/core/events.ts';
import { HostClient } from '../../../../src/core/host/dispatch/client.ts';
import { Dispatcher } from '../../../../src/core/host/dispatch/dispatcher.ts';
import { Warnings } from '../../../../src/core/host/dispatch/warnings.ts';
import { resolveOptions } from '../../../../src/core/options/resolve-options.ts';
import { Server } from '../../../../src/core/server.ts';
import { Subscribers } from '../../../../src/core/subscribers.ts';
import type { SingletonError } from '../../../../src/interface/errors.ts';

function observe() {
  const subscribers = new Subscribers<string, unknown>(() => {});
  const emitter = new TypedEmitter<SingletonEvents<string>>();
  const warnings: SingletonError[] = [];
  emitter.on('warning', (warning) => warnings.push(warning));
  const options = { ...resolveOptions({ codec: json<string>(), args: '' }), schema: undefined };
  const server = new Server(
    options,
    () => {},
    () => {},
  );
  const context = { options, emitter, subscribers, server, release: () => {} };
  const dispatcher = new Dispatcher(context, new Warnings(context), () => {});
  const client = new HostClient(
    1,
    { codec: 'json', launch: { args: '' } },
    { remoteAddress: undefined },
    {
      resultFailed: () => {},
      listenerFailed: () => {},
    },
  );
  const tell = (args: string): unknown => dispatcher.dispatch({ args, client, completion: undefined }, 1);
  return { observers: subscribers.observers, warnings, tell };
}

describe('Dispatcher', () => {
  it('calls an observer with the arguments, then its stored values', () => {
    const { observers, tell } = observe();
    const calls: unknown[] = [];
    observers.set((...all: readonly unknown[]) => calls.push(all), ['>', 2]);
    tell('a');
    tell('b');
    expect(calls).toEqual([
      ['a', '>', 2],
      ['b', '>', 2],
    ]);
  });

  it('calls observers in the order of their first set', () => {
    const { observers, tell } = observe();
    const calls: string[] = [];
    const first = (args: string, suffix: string): unknown => calls.push(`first ${args}${suffix}`);
    const second = (args: string): unknown => calls.push(`second ${args}`);
    observers.set(first, ['?']);
    observers.set(second, []);
    observers.set(first, ['!']);
    tell('a');
    expect(calls).toEqual(['first a!', 'second a']);
  });

  it('does not call a deleted observer, but the others', () => {
    const { observers, tell } = observe();
    const [deleted, kept] = [vi.fn<(args: string) => void>(), vi.fn<(args: string) => void>()];
    observers.set(deleted, []);
    observers.set(kept, []);
    observers.delete(deleted);
    tell('a');
    expect(deleted).not.toHaveBeenCalled();
    expect(kept).toHaveBeenCalledExactlyOnceWith('a');
  });

  it('warns of an observer that throws, with its error as the cause, and calls the next one', () => {
    const { observers, warnings, tell } = observe();
    const boom = new Error('boom');
    const next = vi.fn<(args: string) => void>();
    observers.set(() => {
      throw boom;
    }, []);
    observers.set(next, []);
    tell('a');
    expect(next).toHaveBeenCalledOnce();
    expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_LISTENER_FAILED', cause: boom }]);
  });

  it('warns of an observer that rejects, with its reason as the cause', async () => {
    const { observers, warnings, tell } = observe();
    const boom = new Error('boom');
    observers.set(() => Promise.reject(boom), []);
    tell('a');
    expect(warnings).toEqual([]);
    await turn();
    expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_LISTENER_FAILED', cause: boom }]);
  });

  it('does not warn of an observer that resolves', async () => {
    const { observers, warnings, tell } = observe();
    observers.set(() => Promise.resolve('done'), []);
    tell('a');
    await turn();
    expect(warnings).toEqual([]);
  });

  it('does not call an observer that is added during a launch until the next one', () => {
    const { observers, tell } = observe();
    const late = vi.fn<(args: string) => void>();
    observers.set(() => observers.set(late, []), []);
    tell('a');
    expect(late).not.toHaveBeenCalled();
    tell('b');
    expect(late).toHaveBeenCalledExactlyOnceWith('b');
  });
});
