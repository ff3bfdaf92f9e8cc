import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { Singleton } from '../../src/index.ts';
import { portOf } from '../helpers/host.ts';
import { fixture, run } from '../helpers/program.ts';

const LIBRARY = new URL('../../dist/', import.meta.url).href;
/** Sends with the default of `args`. */
const SEND = `import('${LIBRARY}index.js').then(({ Singleton }) => Singleton.send({ port: Number(process.env.PORT) }));`;
const WORKER = `new (require('node:worker_threads').Worker)`;

describe('the default of args', () => {
  test.each([
    ['-e', ['-e', SEND, 'a', 'b']],
    ['-e with --', ['-e', SEND, '--', 'a', 'b']],
    ['--eval', ['--eval', SEND, 'a', 'b']],
    ['--eval=', [`--eval=${SEND}`, 'a', 'b']],
    ['-p', ['-p', SEND, 'a', 'b']],
    ['-pe', ['-pe', SEND, 'a', 'b']],
    ['--print', ['--print', SEND, 'a', 'b']],
    ['--eval after another option', ['--no-warnings', '--input-type=module', '--eval', SEND, 'a', 'b']],
    ['-e in a worker with a file', ['-e', `${WORKER}('${fixture('send.cjs')}', { argv: ['a', 'b'] })`, 'c']],
    [
      '-e in a worker without a file',
      ['-e', `${WORKER}(process.argv[2], { argv: ['a', 'b'], eval: true })`, 'c', SEND],
    ],
    ['a file', [fixture('send.cjs'), 'a', 'b']],
    ['an option before the file', ['--no-warnings', fixture('send.cjs'), 'a', 'b']],
  ])('contains what follows the program of "node %s"', async (_, args) => {
    expect(await argsSentBy(args)).toEqual(['a', 'b']);
  });

  test('keeps an argument "-e" after the file', async () => {
    expect(await argsSentBy([fixture('send.cjs'), '-e', 'b'])).toEqual(['-e', 'b']);
  });

  test.each([
    ['after "-"', ['-', 'a', 'b']],
    ['after "-" and --input-type', ['--input-type=module', '-', 'a', 'b']],
  ])('contains what follows a program on stdin %s', async (_, args) => {
    expect(await argsSentBy(args, {}, SEND)).toEqual(['a', 'b']);
  });

  test('has no items if the program is on stdin and nothing follows', async () => {
    expect(await argsSentBy(['--input-type=module'], {}, SEND)).toEqual([]);
  });

  test.each([
    ['a packaged program, whose command line has no file', { ELECTRON: 'packaged' }],
    ['"electron .", whose command line has a folder', { ELECTRON: 'folder' }],
    ['the mode of Node, whose command line has a file', { ELECTRON: 'node', ELECTRON_RUN_AS_NODE: '1' }],
  ])('contains what follows the program in Electron: %s', async (_, env) => {
    expect(await argsSentBy([fixture('electron.js'), 'a', 'b'], env)).toEqual(['a', 'b']);
  });
});

describe('the working directory of a launch', () => {
  test.skipIf(process.platform !== 'linux')('arrives as undefined if its name is not UTF-8', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'socket-singleton-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await using host = await Singleton.acquire({ port: 0, codec: json<string>(), args: '' });
    const arrived = new Promise((resolve) => host.on('args', (args, { cwd }) => resolve({ args, cwd })));
    const code = `
      import { Singleton } from '${LIBRARY}index.js';
      import { json } from '${LIBRARY}codecs/json.js';
      await Singleton.send({ port: ${portOf(host)}, codec: json(), args: 'a' });`;
    const script = String.raw`cd "$1" && mkdir "$(printf 'b\377')" && cd "$(printf 'b\377')" && exec "$2" --input-type=module --eval "$3"`;
    expect((await run('sh', ['-c', script, 'sh', folder, process.execPath, code]).exited()).code).toBe(0);
    expect(await arrived).toEqual({ args: 'a', cwd: undefined });
  });
});

/** The arguments that a program of Node delivers to a host here. */
async function argsSentBy(args: readonly string[], env: NodeJS.ProcessEnv = {}, stdin?: string): Promise<unknown> {
  await using host = await Singleton.acquire({ port: 0, timeout: 0 });
  const received: unknown[] = [];
  host.on('args', (list) => received.push(list));
  const program = run(process.execPath, args, { ...env, PORT: String(portOf(host)) });
  if (stdin !== undefined) program.endStdin(stdin);
  expect(await program.exited()).toEqual({ code: 0, signal: null });
  await host.release();
  // An empty list emits no "args".
  expect(host.clients).toBe(1);
  return received[0] ?? [];
}
