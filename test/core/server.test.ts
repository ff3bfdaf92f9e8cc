import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { LazyAbortController } from '../../src/core/deadline.ts';
import { type ServedHost, Server } from '../../src/core/server.ts';
import type { Connection } from '../../src/index.ts';
import { SingletonError } from '../../src/interface/errors.ts';
import { type ScriptedConnection, ScriptedTransport } from '../helpers/scripted-transport.ts';

/** A host that writes down what it gets. */
class Recorder implements ServedHost {
  readonly got: (Connection | string)[] = [];

  accept(connection: Connection): void {
    this.got.push(connection);
  }

  dropped(count: number): void {
    this.got.push(`missed ${count}`);
  }

  async drain(): Promise<void> {
    this.got.push('settle');
  }
}

/** A hold on an endpoint, the host that it will have when that is opened, and what it tells its owner. */
function create({ transport = new ScriptedTransport(), maxConnections = 8, opening = Promise.resolve() } = {}) {
  const host = new Recorder();
  const told: string[] = [];
  const hold = new Server<Recorder>(
    { transport, maxConnections, client: true },
    {
      async open(since) {
        told.push(`open ${typeof since}`);
        await opening;
        return host;
      },
      warn: ({ code }) => told.push(code),
      lost: () => told.push('lost'),
    },
  );
  return { hold, host, transport, told };
}

/** A hold that has its endpoint, and not yet its host. */
async function loading(options: { readonly maxConnections?: number } = {}) {
  const settle: ((error?: Error) => void)[] = [];
  const opening = new Promise<void>((resolve, reject) => settle.push((error) => (error ? reject(error) : resolve())));
  const limit = new LazyAbortController();
  const made = create({ ...options, opening });
  await made.hold.listen(limit);
  const opened = made.hold.open(limit);
  opened.catch(() => {});
  return {
    ...made,
    opened,
    loaded: () => settle[0]?.(),
    failed: () => settle[0]?.(new Error('not there')),
    over: () => limit.abort(new SingletonError('ERR_SINGLETON_RELEASED', 'over')),
  };
}

/** A hold that is open. */
async function openHold(maxConnections?: number) {
  const made = await loading(maxConnections === undefined ? {} : { maxConnections });
  made.loaded();
  await made.opened;
  return made;
}

const never = new LazyAbortController();

describe('listen', () => {
  it('takes a free endpoint and has the name that the listener gives it', async () => {
    const { hold, told } = create();
    expect(await hold.listen(never)).toBe(true);
    expect(hold).toMatchObject({ isListening: false, endpoint: 'scripted://endpoint/bound', host: undefined });
    expect(told).toEqual([]);
  });

  it('is false where the endpoint is taken', async () => {
    const { hold } = create({ transport: new ScriptedTransport({ listen: ['taken'] }) });
    expect(await hold.listen(never)).toBe(false);
    expect(hold).toMatchObject({ isListening: false, endpoint: 'scripted://endpoint', host: undefined });
  });

  it('gives an endpoint back that it got when the claim was over, and resets who comes to it, also in the next claim', async () => {
    const { hold, transport } = create();
    const accepts: ((connection: Connection) => void)[] = [];
    const listen = transport.listen.bind(transport);
    transport.listen = (accept, options) => {
      accepts.push(accept);
      return listen(accept, options);
    };
    const claim = new LazyAbortController();
    const listening = hold.listen(claim);
    claim.abort(new SingletonError('ERR_SINGLETON_RELEASED', 'over'));
    await expect(listening).rejects.toThrow('over');
    const other = new ScriptedTransport();
    await other.listen(accepts[0] ?? expect.fail(), { onWarning: () => {}, onLost: () => {} });
    expect(other.dial().wasReset).toBe(true);
    await turn();
    expect(transport.steps).toEqual(['listen', 'close']);
    expect(hold.host).toBeUndefined();
    expect(await hold.listen(never)).toBe(true);
    expect(other.dial().wasReset).toBe(true);
    await hold.open(never);
    expect(other.dial().wasReset).toBe(true);
    expect(transport.dial().wasReset).toBe(false);
  });
});

describe('open', () => {
  it('opens the host, with when the endpoint was got', async () => {
    const { hold, host, told } = await openHold();
    expect(hold).toMatchObject({ isListening: true, host });
    expect(told).toEqual(['open number']);
  });

  it('tells of the warnings of the listener, and that the endpoint is lost, before and after', async () => {
    const { transport, opened: opening, loaded, told } = await loading();
    const { onWarning, onLost } = transport.listening?.options ?? expect.fail();
    onWarning(new SingletonError('ERR_SINGLETON_BUSY', 'Too many.'));
    loaded();
    await opening;
    onWarning(new SingletonError('ERR_SINGLETON_CONNECTION_FAILED', 'Broken.'));
    onLost();
    expect(told).toEqual(['open number', 'ERR_SINGLETON_BUSY', 'ERR_SINGLETON_CONNECTION_FAILED', 'lost']);
  });

  it('lets those in who came meanwhile, in their order, and then who comes', async () => {
    const { hold, host, transport, opened: opening, loaded } = await loading();
    const early = [transport.dial(), transport.dial()];
    expect([hold.isListening, host.got]).toEqual([false, []]);
    loaded();
    await opening;
    const late = transport.dial();
    expect(host.got).toEqual([...early, late]);
  });

  it('is hurt by no connection that broke meanwhile', async () => {
    const { host, transport, opened: opening, loaded } = await loading();
    const broken = transport.dial().destroy(new Error('ECONNRESET'));
    while (!broken.closed) await turn();
    loaded();
    await opening;
    expect(host.got).toEqual([broken]);
  });

  it('cuts the oldest off where too many came, and tells how many', async () => {
    const { host, transport, opened: opening, loaded } = await loading({ maxConnections: 2 });
    const dialled = Array.from({ length: 5 }, () => transport.dial());
    expect(dialled.map(wasReset)).toEqual([true, true, true, false, false]);
    loaded();
    await opening;
    expect(host.got).toEqual(['missed 3', ...dialled.slice(3)]);
  });

  it('cuts nobody off while one that has gone can leave', async () => {
    const { host, transport, opened: opening, loaded } = await loading({ maxConnections: 2 });
    const first = transport.dial();
    transport.dial().destroy();
    const third = transport.dial();
    expect([first, third].map(wasReset)).toEqual([false, false]);
    loaded();
    await opening;
    expect(host.got).toEqual(['missed 1', first, third]);
  });

  it.each(['failed', 'over'] as const)(
    'gives the endpoint back where it %s, and resets who came and who comes',
    async (how) => {
      const made = await loading();
      const { hold, host, transport } = made;
      const early = transport.dial();
      const { accept } = transport.listening ?? expect.fail();
      made[how]();
      await expect(made.opened).rejects.toThrow(/not there|over/);
      expect(early.wasReset).toBe(true);
      expect(transport.steps).toEqual(['listen', 'ref', 'close']);
      expect(hold).toMatchObject({ isListening: false, host: undefined });
      const late = new ScriptedTransport();
      await late.listen(accept, { onWarning: () => {}, onLost: () => {} });
      expect(late.dial().wasReset).toBe(true);
      made.loaded();
      await turn();
      expect(host.got).toEqual([]);
    },
  );

  it.each(Array.from({ length: 12 }, (_, ticks) => ticks))(
    'is open, or everybody is turned away, where it is over %i ticks after the host was loaded',
    async (ticks) => {
      const { hold, host, transport, opened: opening, loaded, over } = await loading();
      const early = transport.dial();
      loaded();
      for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
      const wasOpen = hold.host !== undefined;
      over();
      if (wasOpen) await opening;
      else await expect(opening).rejects.toThrow('over');
      expect([early.wasReset, host.got.length]).toEqual(wasOpen ? [false, 1] : [true, 0]);
    },
  );

  it('forgets who was missed when the endpoint is claimed anew', async () => {
    const { hold, host, transport, opened: opening, failed } = await loading({ maxConnections: 1 });
    for (let count = 0; count < 3; count += 1) transport.dial();
    failed();
    await expect(opening).rejects.toThrow('not there');
    await hold.listen(never);
    await expect(hold.open(never)).rejects.toThrow('not there');
    expect(host.got).toEqual([]);
  });
});

describe('close', () => {
  it('frees an endpoint that is being opened, once', async () => {
    const { hold, transport, opened: opening, over } = await loading();
    await hold.close();
    over();
    await expect(opening).rejects.toThrow('over');
    expect(transport.steps.filter((step) => step === 'close')).toHaveLength(1);
  });

  it('warns of an endpoint that cannot be freed, and waits for the connections of the host all the same', async () => {
    const { hold, host, told } = create({ transport: new ScriptedTransport({ onStep: stuck }) });
    await hold.listen(never);
    await hold.open(never);
    await hold.close();
    expect(told).toEqual(['open number', 'ERR_SINGLETON_CONNECTION_FAILED']);
    expect(host.got).toEqual(['settle']);
  });

  it('warns of it also where the endpoint came too late', async () => {
    const { hold, told } = create({ transport: new ScriptedTransport({ onStep: stuck }) });
    const claim = new LazyAbortController();
    const listening = hold.listen(claim);
    claim.abort(new SingletonError('ERR_SINGLETON_RELEASED', 'over'));
    await expect(listening).rejects.toThrow('over');
    await turn();
    expect(told).toEqual(['ERR_SINGLETON_CONNECTION_FAILED']);
  });
});

it('a connection that comes after the close is reset', async () => {
  const { hold, host, transport } = await openHold();
  const { accept } = transport.listening ?? expect.fail();
  await hold.close();
  const other = new ScriptedTransport();
  await other.listen(accept, { onWarning: () => {}, onLost: () => {} });
  expect(other.dial().wasReset).toBe(true);
  expect(host.got).toEqual(['settle']);
});

describe('keepAlive', () => {
  it('refs and unrefs the listener, where that changes anything', async () => {
    const { hold, transport } = await openHold();
    for (const value of [false, false, true, true]) hold.setRef(value);
    expect(transport.steps).toEqual(['listen', 'unref', 'ref']);
  });

  it('does nothing without a listener', async () => {
    const { hold, transport } = await openHold();
    await hold.close();
    hold.setRef(false);
    expect(transport.isRef).toBe(true);
  });
});

/** An endpoint that cannot be freed. */
function stuck(step: string): void {
  if (step === 'close') throw new Error('boom');
}

function wasReset(connection: ScriptedConnection): boolean {
  return connection.wasReset;
}
