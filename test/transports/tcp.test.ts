import { fstatSync } from 'node:fs';
import type { NetConnectOpts, Server, ServerOpts, Socket } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { SingletonError } from '../../src/interface/errors.ts';
import { resetConnection, type Transport } from '../../src/interface/transport.ts';
import { tcp } from '../../src/transports/tcp.ts';
import { listen, never, open, options, readAll, testTransport, unexpected } from '../helpers/transport-compliance.ts';

/** Where the system does something else than usual, because no test can bring it about by sockets alone. */
interface System {
  /** Sockets connect from this port. */
  localPort?: number;
  /** Servers fail to listen. */
  listenError?: NodeJS.ErrnoException;
  readonly servers: Server[];
  readonly sockets: Socket[];
  readonly targets: NetConnectOpts[];
}

const system = vi.hoisted((): System => ({ servers: [], sockets: [], targets: [] }));

vi.mock('node:net', async (importActual) => {
  const actual = await importActual<typeof import('node:net')>();
  return {
    ...actual,
    createConnection(where: NetConnectOpts): Socket {
      const { localPort } = system;
      const socket = actual.createConnection(localPort === undefined ? where : { ...where, localPort });
      system.sockets.push(socket);
      system.targets.push(where);
      return socket;
    },
    createServer(given: ServerOpts, onConnection: (socket: Socket) => void): Server {
      const server = actual.createServer(given, onConnection);
      const { listenError } = system;
      if (listenError) {
        vi.spyOn(server, 'listen').mockImplementation(() => {
          process.nextTick(() => server.emit('error', listenError));
          return server;
        });
      }
      system.servers.push(server);
      return server;
    },
  };
});

const capabilities = { reset: true, resources: { listener: 'TCPServerWrap', connection: 'TCPSocketWrap' } };

describe.each(['127.0.0.1', '::1'])('tcp() at a free port of %s', (address) => {
  testTransport({ create: () => pairAt(address), capabilities });
});

// Windows has no descriptors of sockets.
test.skipIf(process.platform === 'win32')('a listener has the descriptor of its socket', async () => {
  const { listener } = await listen(tcp({ port: 0 }));
  expect(fstatSync(Number(listener.descriptor)).isSocket()).toBe(true);
});

describe('tcp().endpoint', () => {
  test.each([
    [{}, 'tcp://127.0.0.1:1337'],
    [{ address: undefined, port: undefined }, 'tcp://127.0.0.1:1337'],
    [{ port: 65_535 }, 'tcp://127.0.0.1:65535'],
    [{ address: '127.0.0.2', port: 21_337 }, 'tcp://127.0.0.2:21337'],
    [{ address: '::1', port: 21_337 }, 'tcp://[::1]:21337'],
    [{ address: '::ffff:127.0.0.1', port: 0 }, 'tcp://[::ffff:127.0.0.1]:0'],
    [{ address: 'localhost', port: 21_337 }, 'tcp://localhost:21337'],
  ])('equals, for %o, %s', (given, endpoint) => {
    expect(tcp(given).endpoint).toBe(endpoint);
  });

  test.each(['127.0.0.1', '::1'])('has the port of the listener for port 0 of %s', async (address) => {
    const { listener } = await listen(tcp({ address, port: 0 }));
    const port = Number(new URL(listener.endpoint).port);
    expect(port).toBeGreaterThan(0);
    expect(listener.endpoint).toBe(tcp({ address, port }).endpoint);
    await open(tcp({ address, port }));
  });

  test.each([-1, 65_536, 1.5, NaN, Infinity])('refuses port %d', (port) => {
    expect(() => tcp({ port })).toThrow(expect.objectContaining({ code: 'ERR_SINGLETON_INVALID_OPTION' }));
  });

  test('refuses a port that is not a number and an address that is not a string', () => {
    const invalid = expect.objectContaining({ code: 'ERR_SINGLETON_INVALID_OPTION' });
    // @ts-expect-error what a caller without types may pass
    expect(() => tcp({ port: '1337' })).toThrow(invalid);
    // @ts-expect-error what a caller without types may pass
    expect(() => tcp({ address: 127 })).toThrow(invalid);
    expect(() => tcp({ address: '' })).toThrow(invalid);
  });
});

describe('tcp().listen', () => {
  test('rejects for an address that is not of this machine, and names it', async () => {
    // From the range for documentation: no machine has it, and nothing is sent.
    const error = await rejection(tcp({ address: '192.0.2.1', port: 0 }).listen(unexpected, options()));
    expect(error).toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message: expect.stringMatching(/tcp:\/\/192\.0\.2\.1:0.*no such address/),
      cause: { code: 'EADDRNOTAVAIL' },
    });
  });

  test.each([
    ['EACCES', /does not allow this port/],
    ['ENOTFOUND', /no such name/],
    ['EMFILE', /what the system said/],
  ])('rejects with its cause for the error %s, simulated by a server', async (code, message) => {
    system.listenError = Object.assign(new Error('what the system said'), { code });
    onTestFinished(() => void delete system.listenError);
    const error = await rejection(tcp({ port: 0 }).listen(unexpected, options()));
    expect(error).toBeInstanceOf(SingletonError);
    expect(error).toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message: expect.stringMatching(message),
      cause: { code },
    });
  });

  test('keeps listening, with a warning, when a connection cannot be accepted', async () => {
    const warnings: SingletonError[] = [];
    const { listener } = await listen(tcp({ port: 0 }), { onWarning: (warning) => warnings.push(warning) });
    system.servers.at(-1)?.emit('error', new Error('too many open files'));
    expect(warnings).toMatchObject([
      { code: 'ERR_SINGLETON_CONNECTION_FAILED', cause: { message: 'too many open files' } },
    ]);
    await open(at(listener.endpoint));
  });

  test('sets the remote address of a connection', async () => {
    const { listener, nextAccepted } = await listen(tcp({ port: 0 }));
    const accepted = nextAccepted();
    await open(at(listener.endpoint));
    expect((await accepted).remoteAddress).toBe('127.0.0.1');
  });

  test.each([
    ['0.0.0.0', '127.0.0.1'],
    ['::', '::1'],
  ])('accepts, at every address (%s), a connection through %s', async (address, host) => {
    const { listener, nextAccepted } = await listen(tcp({ address, port: 0 }));
    const accepted = nextAccepted();
    const client = await open(at(listener.endpoint));
    expect(client.remoteAddress).toBe(host);
    // Linux would find its way to the wildcard too; not every system does.
    expect(system.targets.at(-1)).toMatchObject({ host });
    // Otherwise a socket takes ten times as long on Node 20.
    expect(system.targets.at(-1)).toSatisfy(Object.isFrozen);
    client.end('hello');
    expect(String(await readAll(await accepted))).toBe('hello');
  });
});

describe('tcp().connect', () => {
  test('resolves to undefined for a socket that connects to itself, and closes it', async () => {
    const [transport] = await pairAt('127.0.0.1');
    system.localPort = portOf(transport.endpoint);
    onTestFinished(() => void delete system.localPort);
    const connection = transport.connect({ signal: never() });
    const socket = system.sockets.at(-1);
    const ends = new Promise((resolve) => {
      socket?.prependOnceListener('connect', () => resolve([socket.localPort, socket.remotePort]));
    });
    expect(await ends).toStrictEqual([system.localPort, system.localPort]);
    expect(await connection).toBeUndefined();
    expect(socket?.destroyed).toBe(true);
  });

  test('rejects with its cause for any other error of the system', async () => {
    const { listener } = await listen(tcp({ port: 0 }));
    const [transport] = await pairAt('127.0.0.1');
    // Another socket has it.
    system.localPort = portOf(listener.endpoint);
    onTestFinished(() => void delete system.localPort);
    expect(await rejection(transport.connect({ signal: never() }))).toMatchObject({
      code: 'ERR_SINGLETON_CONNECTION_FAILED',
      cause: { code: 'EADDRINUSE' },
    });
  });

  test('closes a connection that breaks before an error listener is added', async () => {
    const { listener, nextAccepted } = await listen(tcp({ port: 0 }));
    const accepted = nextAccepted();
    const connection = await at(listener.endpoint).connect({ signal: never() });
    const closed = new Promise((resolve) => connection?.once('close', resolve));
    resetConnection(await accepted);
    expect(await closed).toBe(true);
  });
});

/** Two transports to a port that was free a moment ago. */
async function pairAt(address: string): Promise<readonly [Transport, Transport]> {
  const { listener } = await listen(tcp({ address, port: 0 }));
  await listener.close();
  return [at(listener.endpoint), at(listener.endpoint)];
}

function at(endpoint: string): Transport {
  return tcp({ address: new URL(endpoint).hostname.replace(/^\[(.*)\]$/, '$1'), port: portOf(endpoint) });
}

function portOf(endpoint: string): number {
  return Number(new URL(endpoint).port);
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(unexpected, (error: unknown) => error);
}
