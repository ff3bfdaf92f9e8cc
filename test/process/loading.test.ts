import { cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AppConfig } from '../fixtures/app.js';
import { fixture, freePort, startHost, type Program, run } from '../helpers/program.ts';

interface Loaded {
  /** Names of the package's files. */
  readonly files: readonly string[];
  /** Names of other packages. */
  readonly packages: readonly string[];
  readonly hasCrypto: boolean;
}

/** What every launch reads, what a structured codec adds, and what a host adds. */
const CLIENT = ['core.js', 'index.js'];
const PROTOCOL = ['protocol.js'];
const HOST = ['host.js'];

describe('the package', () => {
  test.each([
    ['legacy', undefined, undefined, { files: ['core.js', 'index.js'], packages: [], hasCrypto: false }],
    [
      'json',
      'json',
      undefined,
      { files: [...CLIENT, 'json.js', ...PROTOCOL].toSorted(), packages: [], hasCrypto: false },
    ],
    [
      'msgpack, without a decoder,',
      'msgpack',
      undefined,
      { files: [...CLIENT, 'msgpack.js', ...PROTOCOL].toSorted(), packages: [], hasCrypto: false },
    ],
    [
      'json with a secret',
      'json',
      'correct-horse-battery-staple',
      {
        files: [...CLIENT, 'json.js', ...PROTOCOL, 'secure.js'].toSorted(),
        packages: [],
        hasCrypto: true,
      },
    ],
  ] as const)('loads in a client over %s only what it needs', async (_, codec, secret, expected) => {
    const config: AppConfig = { options: { port: await freePort(), secret }, ...(codec && { codec }) };
    const host = run(process.execPath, [fixture('app.js')], { APP: JSON.stringify(config) });
    await host.line('host');

    expect(await loadedBy(config)).toEqual(expected);
  });

  test.each([
    ['legacy', undefined, [...CLIENT, ...HOST, 'legacy-host.js'], []],
    ['json', 'json', [...CLIENT, ...HOST, 'json.js', ...PROTOCOL, 'protocol-host.js'], []],
    [
      'msgpack',
      'msgpack',
      [...CLIENT, ...HOST, 'msgpack-decode.js', 'msgpack.js', ...PROTOCOL, 'protocol-host.js'],
      ['msgpackr'],
    ],
  ] as const)('loads in a host over %s also what decodes launches', async (_, codec, files, packages) => {
    const options = { port: await freePort() };
    const loaded = await loadedBy({ options, steps: ['acquire', 'release'], ...(codec && { codec }) });
    expect(loaded).toEqual({ files: files.toSorted(), packages, hasCrypto: false });
  });

  test.each([
    ['legacy', 'host.js'],
    ['json', 'protocol-host.js'],
    ['msgpack', 'msgpack-decode.js'],
  ])(
    'frees the endpoint with an error in a program with %s whose package was replaced meanwhile',
    async (codec, missing) => {
      const folder = join(await temporaryFolder(), 'dist');
      await cp(new URL('../../dist/', import.meta.url), folder, { recursive: true });
      await symlink(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(folder, '..', 'node_modules'));
      await rm(join(folder, missing));
      const file = codec === 'legacy' ? 'index.js' : `codecs/${codec}.js`;
      const code = `
    import { createServer } from 'node:net';
    import { Singleton } from '${pathToFileURL(join(folder, 'index.js')).href}';
    import { ${codec} } from '${pathToFileURL(join(folder, file)).href}';
    const port = ${await freePort()};
    const print = (line) => console.log(JSON.stringify(line));
    const acquiring = Singleton.acquire({ port, codec: ${codec}(), args: [] });
    await acquiring.catch(({ code, cause }) => print({ event: 'rejected', code, cause: cause.code }));
    const server = createServer().listen(port, '127.0.0.1', () => server.close(() => print({ event: 'free' })));
  `;
      const program = run(process.execPath, ['--input-type=module', '--eval', code]);
      const { code: rejected, cause } = await program.line('rejected');
      expect([rejected, cause]).toEqual(['ERR_SINGLETON_ENDPOINT_UNAVAILABLE', 'ERR_MODULE_NOT_FOUND']);
      await program.line('free');
      expect((await program.exited()).code).toBe(0);
    },
  );

  test('loads in a client only modules of Node that load no others', async () => {
    // To load node:util, node:buffer or node:stream reads all that they can lazily load: 1 ms each.
    const code = await readFile(new URL('../../dist/core.js', import.meta.url), 'utf8');
    // What is not indented runs when the file is loaded.
    const top = code.replaceAll(/^\s.*$/gm, '');
    const loaded = Array.from(top.matchAll(/getBuiltinModule\("(.*?)"\)/g), ([, name = '']) => name);
    // node:net has loaded node:diagnostics_channel already, and node itself node:timers.
    expect(loaded.toSorted()).toEqual(['node:diagnostics_channel', 'node:events', 'node:net', 'node:timers']);
  });

  test.skipIf(process.platform === 'win32')(
    'loads in a client over a pipe also the pipe transport, and nothing else',
    async () => {
      const config: AppConfig = { options: {}, pipe: join(await temporaryFolder(), 'app.sock') };
      await startHost({}, config);
      expect(await loadedBy(config)).toEqual({ files: [...CLIENT, 'pipe.js'], packages: [], hasCrypto: false });
    },
  );
});

/** What a second launch had loaded when it exited, by V8's own account of the scripts that it ran. */
async function loadedBy(config: AppConfig): Promise<Loaded> {
  const folder = await temporaryFolder();
  const second: Program = run(
    process.execPath,
    ['--require', fixture('loaded.cjs'), fixture('app.js'), 'an argument'],
    {
      APP: JSON.stringify(config),
      NODE_V8_COVERAGE: folder,
    },
  );
  expect((await second.exited()).code).toBe(0);
  const { builtins } = await second.line('loaded');
  const reports = await Promise.all((await readdir(folder)).map(async (name) => readFile(join(folder, name), 'utf8')));
  const found = (url: RegExp): string[] =>
    reports.flatMap((report) => Array.from(report.matchAll(url), ([, part = '']) => part));
  const urls = found(/"url":"(file:[^"]*\/dist\/[^"]*)"/g);
  const files = urls.map((url) => basename(url)).toSorted();
  const packages = Array.from(new Set(found(/"url":"file:[^"]*\/node_modules\/([^"/]*)\/[^"]*"/g)));
  return { files, packages, hasCrypto: Array.isArray(builtins) && builtins.includes('crypto') };
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'socket-singleton-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
