import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { ServiceEndpoint } from '../fixtures/service.js';
import { fixture, freePort, type Program, run } from '../helpers/program.ts';
import { python } from '../helpers/python.ts';
import { socketFolder } from '../helpers/socket-folder.ts';

/** A socket of the launcher, which `test/fixtures/activate.py` describes. */
interface UnitSocket extends ServiceEndpoint {
  readonly name: string;
  readonly datagram?: boolean;
}

// The launcher ends its services by a call of Linux, which alone has systemd.
describe.skipIf(python === undefined || process.platform !== 'linux')('a service whose socket is handed over', () => {
  test.each([
    ['TCP', async () => ({ name: 'app', port: await freePort() })],
    ['Unix', async () => ({ name: 'app', path: join(socketFolder(), 'app.sock') })],
  ])('is started by a launch, serves others, and is started again after its end: %s', async (_, createSocket) => {
    const socket = await createSocket();
    const unit = activate([], [socket], [socket]);
    await unit.line('listening');
    const pids: unknown[] = [];
    for (const round of ['first', 'second']) {
      for (const word of ['starts it', 'is served']) {
        expect(await launch(socket, round, word).exited()).toEqual({ code: 0, signal: null });
      }
      const { pid } = await unit.line('host', (line) => !pids.includes(line['pid']));
      process.kill(Number(pid), 'SIGTERM');
      expect(await unit.line('ended', (line) => line['pid'] === pid)).toMatchObject({ status: 0 });
      pids.push(pid);
    }
    expect(unit.all('started').map(({ pid }) => pid)).toEqual(pids);
    expect(unit.all('args').map(({ pid, args }) => [pid, args])).toEqual([
      [pids[0], ['first', 'starts it']],
      [pids[0], ['first', 'is served']],
      [pids[1], ['second', 'starts it']],
      [pids[1], ['second', 'is served']],
    ]);
    expect(unit.all('acquired').map(({ variables }) => variables)).toEqual([[], []]);
    expect([...unit.all('warning'), ...unit.all('rejected')]).toEqual([]);
  });

  test('takes each socket by its name, and rejects what is no stream or has another path', async () => {
    const [port, other] = [await freePort(), await freePort()];
    const folder = socketFolder();
    const path = join(folder, 'app.sock');
    const sockets = [
      { name: 'web', port },
      { name: 'elsewhere', path: join(folder, 'elsewhere.sock') },
      { name: 'datagram', port: other, datagram: true },
      { name: 'app', path },
    ];
    const endpoints = [
      { name: 'app', path },
      { name: 'datagram', port: other },
      { name: 'elsewhere', path: join(folder, 'here.sock') },
      { name: 'web', port },
    ];
    const unit = activate(['--now'], sockets, endpoints);
    expect(await unit.line('acquired')).toMatchObject({ variables: [] });
    expect(unit.all('host').map(({ endpoint }) => endpoint)).toEqual([`unix://${path}`, `tcp://127.0.0.1:${port}`]);
    expect(unit.all('rejected')).toMatchObject([
      {
        code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
        message: expect.stringContaining('descriptor 5, which systemd handed over, is no stream socket that listens'),
      },
      {
        code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
        message: expect.stringContaining(`the socket that systemd handed over is unix://${folder}/elsewhere.sock.`),
      },
    ]);
    for (const endpoint of [{ port }, { path }]) {
      expect((await launch(endpoint, JSON.stringify(endpoint)).exited()).code).toBe(0);
      await unit.line('args', ({ args }) => isDeepStrictEqual(args, [JSON.stringify(endpoint)]));
    }
  });
});

function activate(
  flags: readonly string[],
  sockets: readonly UnitSocket[],
  endpoints: readonly ServiceEndpoint[],
): Program {
  const service = [process.execPath, fixture('service.js'), JSON.stringify(endpoints)];
  return run(String(python), [fixture('activate.py'), ...flags, JSON.stringify(sockets), ...service]);
}

/** A launch that systemd has not started. */
function launch(endpoint: ServiceEndpoint, ...args: readonly string[]): Program {
  return run(process.execPath, [fixture('service.js'), JSON.stringify([endpoint]), ...args]);
}
