import { once } from 'node:events';
import { symlinkSync } from 'node:fs';
import type { ListenOptions as NetListenOptions, Server, ServerOpts, Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { resetConnection, type Transport } from '../../src/interface/transport.ts';
import { pipe } from '../../src/transports/pipe.ts';
import { systemd } from '../../src/transports/systemd.ts';
import { memory } from '../../src/transports/memory.ts';
import { tcp } from '../../src/transports/tcp.ts';
import { freePort } from '../helpers/program.ts';
import { socketFolder } from '../helpers/socket-folder.ts';
import { listen, never, open, options, testTransport, unexpected } from '../helpers/transport-compliance.ts';

/**
 * The socket that is handed over. In this process descriptor 3 is another file, so that a server which is to listen on it
 * binds `bound` instead. test/process/systemd.test.ts hands over real ones.
 */
interface System {
  bound: NetListenOptions;
  /** The rows of /proc/net/unix. */
  rows: string;
}

const system = vi.hoisted((): System => ({ bound: {}, rows: '' }));

vi.mock('node:net', async (importActual) => {
  const actual = await importActual<typeof import('node:net')>();
  return {
    ...actual,
    createServer(given: ServerOpts, onConnection: (socket: Socket) => void): Server {
      const server = actual.createServer(given, onConnection);
      const actualListen = server.listen.bind(server);
      vi.spyOn(server, 'listen').mockImplementation((where: NetListenOptions & { fd?: number }, onListening) =>
        actualListen(where.fd === undefined ? where : { ...system.bound, exclusive: true }, onListening),
      );
      return server;
    },
  };
});

vi.mock('node:fs', async (importActual) => {
  const actual = await importActual<typeof import('node:fs')>();
  return {
    ...actual,
    fstatSync: () => ({ ino: INODE }),
    readFileSync: () => system.rows,
  };
});

const INODE = 19_727;

afterEach(() => void vi.unstubAllEnvs());

describe('systemd() with a TCP socket', () => {
  const capabilities = { reset: true, resources: { listener: 'TCPServerWrap', connection: 'TCPSocketWrap' } };
  testTransport({ create: async () => pairOf(tcp({ port: await freePort() })), capabilities });
});

describe('systemd() with a Unix socket', () => {
  const capabilities = { reset: true, resources: { listener: 'PipeWrap', connection: 'PipeWrap' } };
  testTransport({ create: () => pairOf(pipe({ path: join(socketFolder(), 'socket') })), capabilities });
});

describe('systemd()', () => {
  it.each([
    ['memory()', memory().transport('app')],
    ['systemd()', systemd({ transport: tcp() })],
    ['undefined', undefined],
    ['null', null],
  ])('refuses %s as a transport', (_, transport) => {
    expect(() => systemd(Object({ transport }))).toThrow(
      expect.objectContaining({
        code: 'ERR_SINGLETON_INVALID_OPTION',
        message: expect.stringContaining('Option "transport": expected tcp() or pipe(), got '),
      }),
    );
  });

  it.each(['', 'a:b', 'a\nb', 'ü', 'x'.repeat(256), 1])('refuses the name %j', (name) => {
    expect(() => systemd(Object({ transport: tcp(), name }))).toThrow(
      expect.objectContaining({
        code: 'ERR_SINGLETON_INVALID_OPTION',
        message: expect.stringContaining('Option "name": expected a name of 1 to 255 ASCII characters'),
      }),
    );
  });

  it.each(['app.socket', 'a b', '~', 'x'.repeat(255), undefined])('accepts the name %j', (name) => {
    expect(systemd({ transport: tcp({ port: 21_337 }), name }).endpoint).toBe('tcp://127.0.0.1:21337');
  });

  it('refuses an unknown option', () => {
    expect(() => systemd(Object({ transport: tcp(), names: 'app' }))).toThrow('Did you mean "name"?');
  });
});

describe('systemd().listen', () => {
  it('binds the endpoint of the transport if no socket was handed over', async () => {
    const transport = tcp({ port: await freePort() });
    const { listener } = await listen(systemd({ transport }));
    expect(listener.endpoint).toBe(transport.endpoint);
    await open(transport);
  });

  it('passes its options to the transport', async () => {
    const transport = tcp();
    const listenSpy = vi.spyOn(transport, 'listen').mockResolvedValue(undefined);
    const given = { ...options(), skipProbe: true };
    expect(await systemd({ transport }).listen(unexpected, given)).toBeUndefined();
    expect(listenSpy).toHaveBeenCalledExactlyOnceWith(unexpected, given);
  });

  it('reads the environment when it is called, not before', async () => {
    const port = await freePort();
    const transport = systemd({ transport: tcp({ port }) });
    handOver({ host: '127.0.0.1', port });
    await listen(transport);
    expect(process.env['LISTEN_FDS']).toBeUndefined();
  });

  it('listens with two transports on the sockets of their names', async () => {
    const ports = [await freePort(), await freePort()];
    handOver({}, { LISTEN_FDS: '2', LISTEN_FDNAMES: 'first:second' });
    for (const [index, port] of ports.entries()) {
      system.bound = { host: '127.0.0.1', port };
      const transport = tcp({ port });
      await listen(systemd({ transport, name: index === 0 ? 'first' : 'second' }));
      await open(transport);
    }
    expect(process.env['LISTEN_FDS']).toBeUndefined();
  });

  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['0:0::1', '::1'],
    ['::', '::'],
    ['localhost', 'localhost'],
  ])('takes, for the address %s, a socket that is bound to %s', async (address, host) => {
    const port = await freePort();
    handOver({ host, port });
    const transport = tcp({ address, port });
    const { listener } = await listen(systemd({ transport }));
    expect(listener.endpoint).toBe(transport.endpoint);
  });

  it.each([
    ['127.0.0.1', '127.0.0.2'],
    ['127.0.0.1', '::'],
    ['0.0.0.0', '127.0.0.1'],
    ['::1', '::'],
    ['localhost', '127.0.0.2'],
  ])('rejects, for the address %s, a socket that is bound to %s, and closes it', async (address, host) => {
    const port = await freePort();
    handOver({ host, port });
    const error = await rejection(systemd({ transport: tcp({ address, port }) }));
    const name = address.includes(':') ? `[${address}]` : address;
    expect(error).toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message: expect.stringMatching(
        /^Cannot listen on tcp:\S+: the socket that systemd handed over is tcp:\S+\. Write /,
      ),
    });
    expect(error).toHaveProperty(
      'message',
      expect.stringContaining(`Write ListenStream=${name}:${port} into the socket`),
    );
    await listen(tcp({ address: host, port }));
  });

  it('rejects a socket of another port', async () => {
    const [port, other] = [await freePort(), await freePort()];
    handOver({ host: '127.0.0.1', port: other });
    expect(await rejection(systemd({ transport: tcp({ port }) }))).toHaveProperty(
      'message',
      `Cannot listen on tcp://127.0.0.1:${port}: the socket that systemd handed over is tcp://127.0.0.1:${other}. Write ` +
        `ListenStream=127.0.0.1:${port} into the socket unit, or change the option "transport" of systemd().`,
    );
  });

  it('rejects for a host name that is not known', async () => {
    handOver({ host: '127.0.0.1', port: 0 });
    expect(await rejection(systemd({ transport: tcp({ address: 'unknown.invalid' }) }))).toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      cause: { syscall: 'getaddrinfo' },
    });
  });

  it('rejects a descriptor on which the system cannot listen', async () => {
    // From the range for documentation: no machine has it.
    handOver({ host: '192.0.2.1', port: 0 });
    expect(await rejection(systemd({ transport: tcp({ port: 21_337 }) }))).toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message:
        'Cannot listen on tcp://127.0.0.1:21337: descriptor 3, which systemd handed over, is no stream socket that ' +
        'listens. Write ListenStream=127.0.0.1:21337 and Accept=no into the socket unit.',
      cause: { code: 'EADDRNOTAVAIL' },
    });
  });

  it('rejects a malformed environment, and names the endpoint', async () => {
    handOver({}, { LISTEN_FDS: 'one' });
    expect(await rejection(systemd({ transport: tcp({ port: 21_337 }) }))).toMatchObject({
      code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
      message: expect.stringMatching(
        /^Cannot listen on tcp:\/\/127\.0\.0\.1:21337: .* LISTEN_FDS must be .*"one"\. .*\.$/,
      ),
    });
  });
});

describe.skipIf(process.platform === 'win32')('systemd().listen with a Unix socket', () => {
  it('takes one at the path, at another path of the same file, and at a path that the system does not tell', async () => {
    for (const rows of [row('<path>'), row('<link>'), row(''), '']) {
      const path = join(socketFolder(), 'socket');
      const link = join(socketFolder(), 'link');
      symlinkSync(join(path, '..'), link);
      handOver({ path }, {}, rows.replace('<path>', path).replace('<link>', join(link, 'socket')));
      const { listener } = await listen(systemd({ transport: pipe({ path }) }));
      expect(listener.endpoint).toBe(`unix://${path}`);
    }
  });

  it('rejects one at another path, or at a path that begins or ends with it', async () => {
    const path = join(socketFolder(), 'socket');
    for (const bound of [join(socketFolder(), 'socket'), `${path}2`, path.slice(0, -1), `@${path}`]) {
      handOver({ path: join(socketFolder(), 'socket') }, {}, row(bound));
      expect(await rejection(systemd({ transport: pipe({ path }) }))).toHaveProperty(
        'message',
        `Cannot listen on unix://${path}: the socket that systemd handed over is unix://${bound}. Write ` +
          `ListenStream=${path} into the socket unit, or change the option "transport" of systemd().`,
      );
    }
  });

  it('rejects a TCP socket', async () => {
    const port = await freePort();
    handOver({ host: '127.0.0.1', port });
    const path = join(socketFolder(), 'socket');
    expect(await rejection(systemd({ transport: pipe({ path }) }))).toHaveProperty(
      'message',
      expect.stringContaining(`is tcp://127.0.0.1:${port}. Write ListenStream=${path} into`),
    );
  });

  it.each([
    ['a Unix socket', ''],
    ['unix:///run/app', row('/run/app')],
  ])('is rejected for tcp() as %s', async (found, rows) => {
    handOver({ path: join(socketFolder(), 'socket') }, {}, rows);
    expect(await rejection(systemd({ transport: tcp({ port: 21_337 }) }))).toHaveProperty(
      'message',
      expect.stringContaining(
        `the socket that systemd handed over is ${found}. Write ListenStream=127.0.0.1:21337 into`,
      ),
    );
  });
});

describe.each([
  ['TCP', async () => tcp({ port: await freePort() })],
  ['Unix', async () => pipe({ path: join(socketFolder(), 'socket') })],
])('a connection of systemd() by a %s socket', (_, create) => {
  it.skipIf(process.platform === 'win32')('knows whether its peer is gone', async () => {
    const [transport] = pairOf(await create());
    const { nextAccepted } = await listen(transport);
    for (const isPeerGone of [false, true]) {
      const accepted = nextAccepted();
      const client = await open(transport);
      const host = await accepted;
      const ended = once(host.resume(), 'end');
      client.end('all');
      await ended;
      if (isPeerGone) {
        const closed = once(client, 'close');
        resetConnection(client);
        await closed;
      }
      expect(host.isPeerGone?.()).toBe(isPeerGone);
    }
  });
});

describe('systemd().watch', () => {
  it('is that of the transport, if it has one', () => {
    const transport = pipe({ path: join(socketFolder(), 'socket') });
    const watcher = { close: () => {} };
    const watch = vi.spyOn(Object(transport), 'watch').mockReturnValue(watcher);
    expect(systemd({ transport }).watch?.(unexpected)).toBe(watcher);
    expect(watch).toHaveBeenCalledExactlyOnceWith(unexpected);
    expect(systemd({ transport: tcp() })).not.toHaveProperty('watch');
  });
});

describe('systemd().connect', () => {
  it('is that of the transport', async () => {
    const transport = tcp({ port: await freePort() });
    expect(await systemd({ transport }).connect({ signal: never() })).toBeUndefined();
    await listen(transport);
    await open(systemd({ transport, name: 'app' }));
  });
});

/** Hands over a socket that is bound to this. */
function handOver(bound: NetListenOptions, env: Readonly<Record<string, string>> = {}, rows = ''): void {
  system.bound = bound;
  system.rows = `Num       RefCount Protocol Flags    Type St Inode Path\n${row('/run/other', INODE + 1)}${rows}`;
  for (const [name, value] of Object.entries({ LISTEN_FDS: '1', LISTEN_PID: `${process.pid}`, ...env })) {
    vi.stubEnv(name, value);
  }
}

/** One of /proc/net/unix. */
function row(path: string, inode = INODE): string {
  return `00000000f65189a5: 00000002 00000000 00010000 0001 01 ${inode}${path && ` ${path}`}\n`;
}

/** Two transports to the endpoint of one that is free, whose socket is handed over. */
function pairOf(transport: Transport): readonly [Transport, Transport] {
  const { protocol, hostname, port, pathname } = new URL(transport.endpoint);
  const path = pathname;
  if (protocol === 'tcp:') handOver({ host: hostname, port: Number(port) });
  else handOver({ path }, {}, row(path));
  return [systemd({ transport }), systemd({ transport })];
}

async function rejection(transport: Transport): Promise<unknown> {
  return transport.listen(unexpected, options()).then(unexpected, (error: unknown) => error);
}
