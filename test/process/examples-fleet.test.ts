import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { describeEtcd } from '../helpers/etcd.ts';
import { commandsOf, example } from '../helpers/examples.ts';
import { freePort, type Program, run } from '../helpers/program.ts';
import { socketFolder } from '../helpers/socket-folder.ts';

describeEtcd('examples/fleet', () => {
  it('prints what its README shows, and leaves nothing', async () => {
    const [commands = []] = commandsOf('fleet');
    const shown = commands.flatMap(({ output }) => output);
    const folder = socketFolder();
    const demo = start({ TMPDIR: folder, ETCD_PORT: `${await freePort()}` });
    expect(await demo.exited()).toEqual({ code: 0, signal: null });

    const printed = demo.stdout.trimEnd().split('\n');
    expect(printed.map(generalize)).toEqual(shown.map(generalize));
    expect(demo.stderr).toBe('');
    const tokens = printed.filter((line) => line.includes('is the host')).map(tokenOf);
    expect(tokens).toEqual(tokens.toSorted((one, other) => one - other));
    expect(new Set(tokens).size).toBe(2);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('fails if the port of etcd is in use, and leaves nothing', async () => {
    const server = createServer().listen(await freePort(), '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const address = server.address();
    const folder = socketFolder();
    const demo = start({ TMPDIR: folder, ETCD_PORT: `${typeof address === 'object' && address?.port}` });
    expect(await demo.exited()).toEqual({ code: 1, signal: null });
    expect(readdirSync(folder)).toEqual([]);
  });
});

it.each([
  ['skips the example without etcd, and says so', 'false', 0],
  ['fails the example without etcd in CI', 'true', 1],
])('%s', async (_, CI, code) => {
  const demo = start({ CI, PATH: '', TMPDIR: socketFolder() });
  expect(await demo.exited()).toEqual({ code, signal: null });
  expect(demo.stderr).toContain('Skipped, because etcd cannot be started');
  expect(demo.stdout).toBe('');
});

function start(env: NodeJS.ProcessEnv): Program {
  return run(process.execPath, [example('fleet/run.js')], env);
}

/** Each name becomes `X`: of three workers, any one is the host. */
function generalize(line: string): string {
  return line.replace(/\b[abc]\b/, 'X').replace(/token \d+/, 'token N');
}

function tokenOf(line: string): number {
  return Number(/token (\d+)/.exec(line)?.[1]);
}
