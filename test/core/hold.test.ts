import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Ending } from '../../src/core/ending.ts';
import { SingletonError } from '../../src/core/errors.ts';
import { Hold, type HeldHost, type HoldOwner } from '../../src/core/hold.ts';
import type { Connection } from '../../src/index.ts';
import { ScriptedTransport, type ScriptedConnection } from './scripted-transport.ts';

/** A host that writes down what it gets. */
class Recorder implements HeldHost {
  readonly got: (Connection | string)[] = [];

  accept(connection: Connection): void {
    this.got.push(connection);
  }

  warn({ code }: SingletonError): void {
    this.got.push(code);
  }

  async settle(): Promise<void> {
    this.got.push('settle');
  }
}

/** A hold on a place, and the host that it will have. */
function create({ transport = new ScriptedTransport(), maxConnections = 8, open = async () => {} } = {}) {
  const host = new Recorder();
  const events: unknown[] = [];
  const owner: HoldOwner<Recorder> = {
    async open(since) {
      events.push(typeof since);
      await open();
      return host;
    },
    lost: () => events.push('lost'),
  };
  return { hold: new Hold({ transport, maxConnections, client: true }, owner), host, transport, events };
}

/** A hold that has its place, and not yet its host. */
async function loading(options: { readonly maxConnections?: number } = {}) {
  const settle: ((error?: Error) => void)[] = [];
  const opening = new Promise<void>((resolve, reject) => settle.push((error) => (error ? reject(error) : resolve())));
  const claim = new Ending();
  const made = create({ ...options, open: () => opening });
  const listening = made.hold.listen(claim);
  listening.catch(() => {});
  while (made.events.length === 0) await turn();
  const abort = (): void => claim.end(new SingletonError('ERR_SINGLETON_RELEASED', 'over'));
  return { ...made, listening, abort, loaded: () => settle[0]?.(), failed: () => settle[0]?.(new Error('not there')) };
}

const never = new Ending();

describe('listen', () => {
  it('takes a free place, opens its host, and has the name that the listener gives it', async () => {
    const { hold, host, events } = create();
    expect(await hold.listen(never)).toBe(true);
    expect(hold).toMatchObject({ isListening: true, isLoading: false, place: 'scripted://place/bound', host });
    expect(events).toEqual(['number']);
  });

  it('is false where the place is taken, and opens no host', async () => {
    const { hold, events } = create({ transport: new ScriptedTransport({ listen: ['taken'] }) });
    expect(await hold.listen(never)).toBe(false);
    expect(hold).toMatchObject({ isListening: false, isLoading: false, place: 'scripted://place', host: undefined });
    expect(events).toEqual([]);
  });

  it('tells of the warnings of the listener, and that the place is lost', async () => {
    const { hold, host, transport, events } = create();
    await hold.listen(never);
    const { onWarning, onLost } = transport.listening?.options ?? expect.fail();
    onWarning(new SingletonError('ERR_SINGLETON_BUSY', 'Too many.'));
    onLost();
    expect(host.got).toEqual(['ERR_SINGLETON_BUSY']);
    expect(events).toEqual(['number', 'lost']);
  });
});

describe('while the host is loaded', () => {
  it('what comes is kept, and told in its order', async () => {
    const { hold, host, transport, listening, loaded } = await loading();
    const first = transport.dial();
    transport.listening?.options.onWarning(new SingletonError('ERR_SINGLETON_BUSY', 'Too many.'));
    const second = transport.dial();
    expect(hold).toMatchObject({ isListening: false, isLoading: true });
    loaded();
    expect(await listening).toBe(true);
    expect(host.got).toEqual([first, 'ERR_SINGLETON_BUSY', second]);
    const third = transport.dial();
    expect(host.got).toHaveLength(4);
    expect(host.got[3]).toBe(third);
  });

  it('a connection that breaks hurts nobody, and is told', async () => {
    const { host, transport, listening, loaded } = await loading();
    const broken = transport.dial().destroy(new Error('ECONNRESET'));
    while (!broken.closed) await turn();
    loaded();
    await listening;
    expect(host.got).toEqual([broken]);
  });

  it('of too many connections the oldest is reset, and their number is told', async () => {
    const { host, transport, listening, loaded } = await loading({ maxConnections: 2 });
    const dialled = Array.from({ length: 5 }, () => transport.dial());
    expect(dialled.map(wasReset)).toEqual([true, true, true, false, false]);
    loaded();
    await listening;
    expect(host.got).toEqual(['ERR_SINGLETON_BUSY', ...dialled.slice(3)]);
  });

  it.each(['failed', 'abort'] as const)(
    'and that is over (%s), the place is given back and who came is reset',
    async (how) => {
      const made = await loading();
      const { hold, host, transport, listening } = made;
      const early = transport.dial();
      const { accept } = transport.listening ?? expect.fail();
      made[how]();
      await expect(listening).rejects.toThrow(/not there|over/);
      expect(early.wasReset).toBe(true);
      expect(transport.steps.filter((step) => step === 'close')).toHaveLength(1);
      expect(hold).toMatchObject({ isListening: false, isLoading: false, host: undefined });
      const late = new ScriptedTransport();
      await late.listen(accept, { onWarning: () => {}, onLost: () => {} });
      expect(late.dial().wasReset).toBe(true);
      made.loaded();
      await turn();
      expect(host.got).toEqual([]);
    },
  );

  it('a close frees the place, once', async () => {
    const { hold, transport, listening, abort } = await loading();
    await hold.close();
    abort();
    await expect(listening).rejects.toThrow('over');
    expect(transport.steps.filter((step) => step === 'close')).toHaveLength(1);
  });
});

describe('keepAlive', () => {
  it('refs and unrefs the listener, where that changes anything', async () => {
    const { hold, transport } = create();
    await hold.listen(never);
    for (const value of [false, false, true, true]) hold.keepAlive(value);
    expect(transport.steps).toEqual(['listen', 'unref', 'ref']);
  });

  it('does nothing without a listener', async () => {
    const { hold, transport } = create();
    await hold.listen(never);
    await hold.close();
    hold.keepAlive(false);
    expect(transport.isRef).toBe(true);
  });
});

function wasReset(connection: ScriptedConnection): boolean {
  return connection.wasReset;
}
