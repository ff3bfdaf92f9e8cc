import { once } from 'node:events';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { msgpack } from '../../src/codecs/msgpack.ts';
import {
  type HostStatus,
  legacy,
  MultipleSingletonsError,
  Singleton,
  type SingletonError,
  type Transport,
} from '../../src/index.ts';
import { memory } from '../../src/transports/memory.ts';
import { launchWaiting, nextClient } from '../helpers/answer.ts';
import { endpointNames, endpoints, transportAt } from '../helpers/endpoints.ts';
import { connectAccepted, launch, portOf, recordEvents, startHost } from '../helpers/host.ts';
import {
  afterHello,
  codec,
  expectFrame,
  KIND,
  readClientHello,
  REPLACE,
  SECRET,
  start,
  startJson,
  type StructuredOptions,
  type Strings,
} from '../helpers/requests.ts';
import { clientHello, EMPTY, frame, RawConnection, readFrame, serve } from '../helpers/wire.ts';

/** A second program at the endpoint of a host. It is not strict, because this process is the host, too. */
function newcomer({ endpoint }: Pick<Singleton, 'endpoint'>, options: StructuredOptions): Singleton {
  const app = new Singleton<Strings>({
    transport: transportAt(endpoint),
    codec,
    strict: false,
    args: ['new'],
    ...options,
  });
  onTestFinished(() => app.release());
  return app;
}

/** "host", or how its launch ended. */
function outcomeOf(app: Singleton): Promise<string> {
  return app.acquire().then(
    () => 'host',
    (error: SingletonError) => (error instanceof MultipleSingletonsError ? error.receipt.outcome : error.code),
  );
}

describe.each(endpointNames)('acquire() with replace, over %s,', (name) => {
  const allow = (): StructuredOptions => ({ transport: endpoints[name](), allowReplace: true });

  it.each([undefined, SECRET])('becomes host in place of one that allows it, with the secret %s', async (secret) => {
    const old = await startJson({ ...allow(), secret, version: 'old' });
    const heard = recordEvents(old);
    const released = once(old, 'release');
    const app = newcomer(old, { replace: true, secret, version: 'new' });
    expect(await outcomeOf(app)).toBe('host');
    expect([app.mayHaveRun, old.listening]).toEqual([false, false]);
    expect(await released).toEqual(['replaced']);
    expect([old.clients, heard.order]).toEqual([0, ['release replaced']]);
    const receipt = await launch(app, ['a'], { codec, secret });
    expect(receipt).toMatchObject({ outcome: 'delivered', client: 1, host: { version: 'new' } });
    expect(app.arguments).toEqual([['a']]);
  });

  it('calls a function with the status of the host, and delivers for false', async () => {
    const host = await startJson({ ...allow(), version: 'old' });
    const found: HostStatus[] = [];
    const replace = (status: HostStatus): boolean => {
      found.push(status);
      return false;
    };
    expect(await outcomeOf(newcomer(host, { replace }))).toBe('delivered');
    const { endpoint } = host;
    const members = {
      endpoint,
      pid: process.pid,
      version: 'old',
      clients: 0,
      pending: 0,
      sessions: 0,
      codecs: ['json'],
    };
    expect(found).toEqual([{ ...members, since: expect.any(Date) }]);
    expect([host.listening, host.arguments]).toEqual([true, [['new']]]);
  });

  it('calls the function for the next host again', async () => {
    const first = await startJson({ ...allow(), version: '1' });
    const second = newcomer(first, { ...allow(), transport: transportAt(first.endpoint), version: '2', replace: true });
    expect(await outcomeOf(second)).toBe('host');
    const third = newcomer(first, { replace: ({ version }) => version !== '2' });
    expect(await outcomeOf(third)).toBe('delivered');
    const fourth = newcomer(first, { replace: ({ version }) => version === '2' });
    expect(await outcomeOf(fourth)).toBe('host');
    expect([first, second, third, fourth].map(({ listening }) => listening)).toEqual([false, false, false, true]);
  });

  it('replaces nobody if there is no host, and does not call the function', async () => {
    const gone = await startJson(allow());
    await gone.release();
    const replace = vi.fn(() => false);
    expect(await outcomeOf(newcomer(gone, { replace }))).toBe('host');
    expect(replace).not.toHaveBeenCalled();
  });

  it.each([undefined, SECRET])('is refused by a host that does not allow it, with the secret %s', async (secret) => {
    const host = await startJson({ transport: endpoints[name](), secret });
    const { order } = recordEvents(host);
    const app = newcomer(host, { replace: true, secret });
    await expect(app.acquire()).rejects.toMatchObject({
      code: 'ERR_SINGLETON_REPLACE_REFUSED',
      message: expect.stringContaining('allowReplace'),
    });
    expect([host.listening, host.clients, host.arguments, order]).toEqual([true, 0, [], []]);
    expect(await launch(host, ['a'], { codec, secret })).toMatchObject({ outcome: 'delivered' });
  });

  it('answers launches that are on their way at the old host', async () => {
    const old = await startJson(allow());
    const heard = recordEvents(old);
    // Connected, and accepted because a later launch has its receipt.
    const connection = await transportAt(old.endpoint).connect({ signal: new AbortController().signal });
    onTestFinished(() => void connection?.destroy());
    await launch(old, [], { codec });
    const app = newcomer(old, { replace: true });
    expect(await outcomeOf(app)).toBe('host');
    const deliver = codec.protocol.outbound({ args: ['late'] }, { secret: undefined, name: '', maxMessageBytes: 1024 });
    const receipt = connection && (await deliver(connection));
    expect(receipt).toMatchObject({ receipt: { outcome: 'delivered', client: 2 } });
    expect(heard.args).toEqual([['late']]);
    expect([old.clients, app.clients]).toEqual([2, 0]);
  });

  it('lets exactly one of several newcomers replace; the others deliver', async () => {
    const old = await startJson(allow());
    const apps = Array.from({ length: 8 }, () =>
      newcomer(old, { replace: true, allowReplace: true, releaseThreshold: 0 }),
    );
    const outcomes = await Promise.all(apps.map(outcomeOf));
    expect(outcomes.toSorted()).toEqual([...Array.from({ length: 7 }, () => 'delivered'), 'host']);
    const host = apps.find(({ listening }) => listening);
    expect([host?.clients, old.clients]).toEqual([7, 0]);
  });
});

describe('acquire() with replace', () => {
  it('replaces no second host if another process binds before it', async () => {
    const network = memory();
    const transport = network.transport('a');
    const old = await startJson({ transport, allowReplace: true });
    let faster: Singleton | undefined;
    // Binds when the old host has released the endpoint, and before the newcomer.
    const slow: Transport = {
      ...transport,
      async listen(...listenArgs) {
        if (!old.listening) faster ??= await startJson({ transport, allowReplace: true });
        return transport.listen(...listenArgs);
      },
    };
    const app = newcomer(old, { transport: slow, replace: true });
    expect(await outcomeOf(app)).toBe('delivered');
    expect([faster?.listening, faster?.arguments]).toEqual([true, [['new']]]);
  });

  it.each<[string, StructuredOptions['replace']]>([
    [
      'throws',
      () => {
        throw new Error('from replace');
      },
    ],
    // Boundaries: JavaScript may return anything.
    ['returns a promise', (): any => Promise.resolve(true)],
    ['returns a promise that rejects', (): any => Promise.reject(new Error('from replace'))],
    ['returns nothing', (): any => {}],
  ])('rejects with INVALID_OPTION and sends nothing if its function %s', async (_, replace) => {
    const host = await startJson({ allowReplace: true });
    const heard = recordEvents(host);
    await expect(newcomer(host, { replace }).acquire()).rejects.toMatchObject({
      code: 'ERR_SINGLETON_INVALID_OPTION',
      message: expect.stringContaining('"replace"'),
    });
    await launch(host, ['a'], { codec });
    expect([host.clients, heard.args]).toEqual([1, [['a']]]);
  });

  it('has what its function threw as the cause', async () => {
    const host = await startJson({ allowReplace: true });
    const cause = new Error('from replace');
    const replace = (): never => {
      throw cause;
    };
    await expect(newcomer(host, { replace }).acquire()).rejects.toMatchObject({ cause });
  });

  it.each<[string, StructuredOptions]>([
    ['has none', { secret: undefined }],
    ['has another', { secret: `${SECRET}!` }],
  ])('does not replace a host with a secret if it %s', async (_, options) => {
    const host = await startJson({ secret: SECRET, allowReplace: true });
    const failure = { code: 'ERR_SINGLETON_VERIFICATION_FAILED' };
    await expect(newcomer(host, { replace: true, ...options }).acquire()).rejects.toMatchObject(failure);
    expect(host.listening).toBe(true);
  });

  it('does not replace a host of another application or codec', async () => {
    const host = await startJson({ name: 'notes', allowReplace: true });
    const other = newcomer(host, { name: 'editor', replace: true });
    await expect(other.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_WRONG_APPLICATION' });
    const binary = newcomer(host, { name: 'notes', codec: msgpack<Strings>(), replace: true });
    await expect(binary.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_UNSUPPORTED_VERSION' });
    expect(host.listening).toBe(true);
  });

  it('takes the replacement by one of several codecs, and refuses legacy() where it cannot work', async () => {
    const invalid = expect.objectContaining({ code: 'ERR_SINGLETON_INVALID_OPTION' });
    expect(() => new Singleton({ allowReplace: true })).toThrow(invalid);
    expect(() => new Singleton({ replace: true })).toThrow(invalid);
    expect(() => new Singleton<Strings>({ codec: [legacy(), codec], args: [], replace: true })).toThrow(invalid);
    expect(() => new Singleton<Strings>({ codec, args: [], replace: true, client: false })).toThrow(invalid);
    // A boundary: JavaScript may pass anything.
    const wrong: any = 'yes';
    expect(() => new Singleton<Strings>({ codec, args: [], replace: wrong })).toThrow(invalid);
    const old = new Singleton<Strings>({ port: 0, codec: [legacy(), codec], args: [], allowReplace: true });
    await start(old);
    const app = newcomer(old, { replace: true });
    expect(await outcomeOf(app)).toBe('host');
  });

  it('lets sessions at the old host end with their result', async () => {
    const old = await startJson({ allowReplace: true });
    const client = nextClient(old);
    const waiting = launchWaiting(old, { name: 'json', shared: { codec } });
    const { stdout, exit } = await client.then((found) => ({ stdout: found.stdout, exit: found.exit.bind(found) }));
    const app = newcomer(old, { replace: true });
    expect(await outcomeOf(app)).toBe('host');
    stdout.write('still here');
    exit(7);
    expect(await waiting.result).toMatchObject({ exitCode: 7, host: { pid: process.pid } });
    expect(await waiting.stdout).toBe('still here');
  });

  it('is not an option of send(), which leaves the host alone', async () => {
    const host = await startJson({ allowReplace: true });
    // A boundary: JavaScript may pass all options.
    const options: any = { port: portOf(host), codec, args: ['a'], replace: true };
    await expect(Singleton.send(options)).resolves.toMatchObject({ outcome: 'delivered' });
    expect([host.listening, host.arguments]).toEqual([true, [['a']]]);
  });

  it.each<[string, (wire: RawConnection) => unknown]>([
    ['resets', (wire) => wire.reset()],
    ['ends', (wire) => wire.end()],
    ['refuses with "not taken"', (wire) => wire.end(frame(KIND.refusal, Buffer.of(5)))],
  ])('becomes host, or tries again, when the old host %s instead of its answer', async (_, act) => {
    const network = await serve([
      afterHello(async (wire) => {
        await expectFrame(wire, KIND.statusRequest);
        wire.write(frame(KIND.status, Buffer.alloc(24)));
        await expectFrame(wire, KIND.replace);
        await act(wire);
      }),
      // `true` replaces only the first host: this one, with another process id, gets the launch.
      afterHello(async (wire) => {
        await expectFrame(wire, KIND.statusRequest);
        wire.write(frame(KIND.status, Buffer.alloc(24).fill(1, 3, 4)));
        await expectFrame(wire, KIND.launch);
        wire.write(frame(KIND.receipt, Buffer.concat([Buffer.of(1, 0, 0, 0, 1), Buffer.alloc(12)])));
      }),
    ]);
    const app = newcomer({ endpoint: `tcp://127.0.0.1:${network.port}` }, { replace: true });
    expect(await outcomeOf(app)).toBe('delivered');
    await Promise.all(network.served);
  });

  it('rejects by its deadline at a host that falls silent after its status', async () => {
    const { port } = await serve([
      afterHello(async (wire) => {
        await expectFrame(wire, KIND.statusRequest);
        wire.write(frame(KIND.status, Buffer.alloc(24)));
        await expectFrame(wire, KIND.replace);
      }),
    ]);
    const app = newcomer({ endpoint: `tcp://127.0.0.1:${port}` }, { replace: true, deliveryTimeout: 200 });
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
  });

  it('rejects at a host that answers with something else, and sends it no launch', async () => {
    const { port, served } = await serve([
      async (wire) => {
        await readClientHello(wire);
        wire.write(
          Buffer.concat([Buffer.from('f553534c0d0a1a0a01000000', 'hex'), frame(KIND.status, Buffer.alloc(24))]),
        );
        await expectFrame(wire, KIND.statusRequest);
        await expectFrame(wire, KIND.replace);
        wire.write(frame(KIND.receipt, Buffer.concat([Buffer.of(1, 0, 0, 0, 1), Buffer.alloc(12)])));
        await wire.readToEnd().catch(() => EMPTY);
      },
    ]);
    const app = newcomer({ endpoint: `tcp://127.0.0.1:${port}` }, { replace: true });
    await expect(app.acquire()).rejects.toMatchObject({ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' });
    await Promise.all(served);
  });
});

describe('a host with allowReplace', () => {
  it('stays host when the client that asks is gone before it could be answered', async () => {
    const app = await startJson({ allowReplace: true });
    const heard = recordEvents(app);
    const warned = once(app, 'warning');
    await askedBy(app, (wire) => {
      wire.write(REPLACE);
      wire.end();
    });
    await warned;
    const warnedAgain = once(app, 'warning');
    await askedBy(app, (wire) => {
      wire.write(REPLACE);
      wire.reset();
    });
    await warnedAgain;
    expect([app.listening, heard.warnings]).toEqual([
      true,
      Array.from({ length: 2 }, () => 'ERR_SINGLETON_CONNECTION_FAILED'),
    ]);
    expect(await launch(app, ['a'], { codec })).toMatchObject({ outcome: 'delivered' });
  });

  it('answers one client that replaced it, and the others with "not taken"', async () => {
    const app = await startJson({ allowReplace: true });
    const wires = await Promise.all([1, 2, 3].map(() => askedBy(app, () => {})));
    for (const wire of wires) wire.write(REPLACE);
    const answers = await Promise.all(wires.map((wire) => readFrame(wire)));
    const hex = answers.map(({ kind, body }) => `${kind} ${body.toString('hex')}`).toSorted();
    expect(hex).toEqual(['13 ', '3 05', '3 05']);
  });

  it.each<[string, Buffer]>([
    ['another replace', REPLACE],
    ['a launch', frame(KIND.launch, Buffer.alloc(11))],
  ])('stays host when %s follows the replace in one piece', async (_, more) => {
    const app = await startJson({ allowReplace: true });
    const wire = await askedBy(app, (raw) => raw.write(Buffer.concat([REPLACE, more])));
    expect(await readFrame(wire)).toMatchObject({ kind: KIND.refusal, body: expect.objectContaining({ 0: 3 }) });
    expect(app.listening).toBe(true);
  });

  it('is not replaced by a legacy client, nor before it is asked', async () => {
    const app = await startHost();
    const connection = await connectAccepted(app);
    connection.end(Buffer.concat([clientHello({ application: '' }), REPLACE]));
    await once(connection, 'close');
    expect(app.listening).toBe(true);
  });
});

async function askedBy(app: Singleton, act: (wire: RawConnection) => void): Promise<RawConnection> {
  const wire = await RawConnection.open(app);
  wire.write(clientHello({ application: '' }));
  await wire.read(12);
  act(wire);
  return wire;
}
