import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { type HostStatus, Singleton } from '../../src/index.ts';
import { pipe } from '../../src/transports/pipe.ts';
import { commandsOf, example } from '../helpers/examples.ts';
import { fixture, isRunning, type Program, run, waitUntil } from '../helpers/program.ts';
import { socketFolder } from '../helpers/socket-folder.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CLI = example('lintd/cli.js');
const CALLS = 10;

const python = process.platform !== 'win32' && spawnSync('python3', ['-c', 'import pty']).status === 0;
if (!python) console.warn('Not tested, for want of python3 and its module pty: the colours of examples/lintd.');

describe.skipIf(process.platform === 'win32')('examples/lintd', () => {
  /** Has the endpoint, and files to lint. */
  let folder: string;
  let env: NodeJS.ProcessEnv;

  beforeEach(() => {
    folder = socketFolder();
    env = { LINTD_DIRECTORY: folder };
    onTestFinished(killDaemon);
    writeFileSync(join(folder, 'a.ts'), 'a  =  1\n');
    writeFileSync(join(folder, 'good.ts'), 'a = 1;\n');
  });

  it('prints what its README shows', async () => {
    const outputs: string[] = [];
    for (const [code, ...args] of [
      [1, file('a.ts'), example('lintd/README.md')],
      [0, 'status'],
      [0, 'stop'],
      [1, 'status'],
    ] as const) {
      if (args[0] === 'status' && code === 1) await ended();
      const call = lint(...args);
      expect(await call.exited(), call.stderr).toEqual({ code, signal: null });
      outputs.push(call.stdout.trimEnd());
      if (args.length > 1) outputs.push(`${code}`);
    }
    const shown = commandsOf('lintd').flatMap((commands) => commands.flatMap(({ output }) => output));
    expect(outputs.map((line) => generalize(line))).toEqual(shown.map((line) => generalize(line)));
  });

  it('exits with 0 if all is well, and with 1 for what is not TypeScript', async () => {
    expect((await lint(file('good.ts')).exited()).code).toBe(0);
    const call = lint('-', file('missing.ts'));
    call.endStdin('let = (');
    expect((await call.exited()).code).toBe(1);
    expect(call.stdout).toMatch(/^-: SyntaxError: .*\n.*missing\.ts: Error: ENOENT.*\n$/);
  });

  it(`starts one daemon for ${CALLS} calls at once, and again after it was killed`, async () => {
    const pids = new Set<unknown>();
    for (const clients of [CALLS, 1]) {
      const names = Array.from({ length: clients }, (_, index) => file(`${index}.ts`));
      for (const name of names) writeFileSync(name, 'a  =  1\n');
      const calls = names.map((name) => lint(name));
      const exits = await Promise.all(calls.map((call) => call.exited()));
      expect(exits.map(({ code }) => code)).toEqual(names.map(() => 1));
      expect(calls.map(({ stdout }) => stdout)).toEqual(names.map((name) => `${name}: not formatted\n`));
      const host = await status();
      expect(host?.clients).toBe(clients);
      pids.add(host?.pid);
      await killDaemon();
    }
    expect(pids.size).toBe(2);
  });

  it('is replaced by the first call of a newer version, and serves calls of an older one', async () => {
    const cli = install('1.9.0');
    expect((await lintBy(cli, file('a.ts')).exited()).code).toBe(1);
    const old = await status();
    expect(old?.version).toBe('1.9.0');

    setVersion('1.10.0');
    const call = lintBy(cli, file('a.ts'));
    expect((await call.exited()).code).toBe(1);
    expect(call.stdout).toBe(`${file('a.ts')}: not formatted\n`);
    const next = await status();
    expect(next?.version).toBe('1.10.0');
    await waitUntil('the older daemon to end', async () => !isRunning(old?.pid));

    setVersion('1.9.0');
    expect((await lintBy(cli, file('a.ts')).exited()).code).toBe(1);
    expect((await status())?.pid).toBe(next?.pid);
  });

  it('is another daemon after restart', async () => {
    await lint(file('good.ts')).exited();
    const old = await status();
    const call = lint('restart', file('a.ts'));
    expect((await call.exited()).code, call.stderr).toBe(1);
    const next = await status();
    expect(next?.pid).toBeGreaterThan(0);
    expect(next?.pid).not.toBe(old?.pid);
  });

  it('ends a call with 130 on SIGINT, stops its work, and goes on', async () => {
    const call = lint(file('a.ts'), '-');
    await call.printed('not formatted');
    const host = await status();
    expect(host?.sessions).toBe(1);
    call.signal('SIGINT');

    expect(await call.exited()).toEqual({ code: 130, signal: null });
    await waitUntil('the daemon to stop the work', async () => (await status())?.sessions === 0);
    expect((await status())?.pid).toBe(host?.pid);
    expect((await lint(file('good.ts')).exited()).code).toBe(0);
  });

  it('fails a call with 2 if it is killed meanwhile', async () => {
    const call = lint(file('a.ts'), '-');
    await call.printed('not formatted');
    await killDaemon();

    expect((await call.exited()).code).toBe(2);
    expect(call.stderr).not.toBe('');
  });

  it('ends when nobody calls', async () => {
    const daemon = run(process.execPath, [example('lintd/daemon.js')], { ...env, LINTD_IDLE: '1' });
    expect(await daemon.exited(), daemon.stderr).toEqual({ code: 0, signal: null });
  });

  it('prints why the daemon does not start, and exits with 2', async () => {
    const call = lintBy(install('1.0.0', ['socket-singleton']), file('a.ts'));
    expect((await call.exited()).code).toBe(2);
    expect(call.stderr).toContain("Cannot find package 'prettier'");
  });

  it.runIf(python)('prints colours in a terminal, whatever the call that started it was', async () => {
    env = { ...env, CI: undefined, NO_COLOR: '1', FORCE_COLOR: undefined, NODE_DISABLE_COLORS: undefined };
    await lint(file('good.ts')).exited();
    env = { ...env, NO_COLOR: undefined, TERM: 'xterm-256color', COLORTERM: 'truecolor' };
    const command = [process.execPath, CLI, file('a.ts')];
    const terminal = run('python3', [fixture('in-terminal.py'), '80', '24', ...command], env);

    const { text } = await terminal.line('screen', (line) => String(line['text']).includes('formatted'));
    expect(text).toBe(`\u001B[31m${file('a.ts')}\u001B[39m: not formatted\r\n`);
  });

  function lint(...args: readonly string[]): Program {
    return lintBy(CLI, ...args);
  }

  function lintBy(cli: string, ...args: readonly string[]): Program {
    return run(process.execPath, [cli, ...args], env);
  }

  function file(name: string): string {
    return join(folder, name);
  }

  function generalize(line: string): string {
    return line.replaceAll(folder, '/tmp').replaceAll(/version [\d.]+ in process \d+/g, 'version V in process P');
  }

  /** Copies the example as a part of a package of this version. */
  function install(version: string, packages = ['socket-singleton', 'prettier']): string {
    const copy = file('examples/lintd');
    cpSync(example('lintd'), copy, { recursive: true });
    setVersion(version);
    mkdirSync(file('node_modules'));
    for (const name of packages) {
      const target = name === 'prettier' ? join(ROOT, 'node_modules', name) : ROOT;
      symlinkSync(target, file(`node_modules/${name}`), 'junction');
    }
    return join(copy, 'cli.js');
  }

  function setVersion(version: string): void {
    writeFileSync(file('package.json'), JSON.stringify({ version, type: 'module' }));
  }

  function status(): Promise<HostStatus | undefined> {
    return Singleton.status({ transport: pipe({ name: 'lintd', directory: folder }), codec: json() });
  }

  async function ended(): Promise<void> {
    await waitUntil('the daemon to end', async () => (await status()) === undefined);
  }

  async function killDaemon(): Promise<void> {
    const host = await status().catch(() => undefined);
    if (host?.pid === undefined) return;
    process.kill(host.pid, 'SIGKILL');
    await ended();
  }
});
