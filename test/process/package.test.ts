import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { rolldown } from 'rolldown';
import { rollup } from 'rollup';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { freePort, inheritedEnv, run } from '../helpers/program.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
const NAME = 'socket-singleton';

/** The folder of the packed package, and in `app` of the program that installed it. */
let folder: string;
let app: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), `${NAME}-`));
  app = join(folder, 'app');
  await mkdir(app);
  // No scripts: what was built before the tests is what is packed.
  await npm('pack', project, '--pack-destination', folder, '--ignore-scripts');
  // Offline: whoever installs it needs nothing else from anywhere.
  await npm('install', await tarball(), '--prefix', app, '--offline', '--no-audit', '--no-fund');
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the package', () => {
  test('contains the build, the licences, documents and examples, and nothing else', async () => {
    const installed = join(app, 'node_modules', NAME);
    const files = (await readdir(installed, { recursive: true })).map((file) => file.replaceAll('\\', '/'));
    const needed = [
      'LICENSE',
      'README.md',
      'THIRD-PARTY-NOTICES.md',
      'dist/index.d.ts',
      'dist/index.js',
      'examples/README.md',
      'dist/cli/index.js',
      'dist/socket-singleton.1',
      'docs/cli.md',
      'package.json',
    ];
    expect(files).toEqual(expect.arrayContaining(needed));
    const allowed =
      /^(LICENSE|package\.json|(docs\/)?[\w-]+\.md|docs\/vectors\.json|dist\/[\w/-]+\.(js|js\.map|d\.ts)|dist\/socket-singleton\.1|dist|dist\/(bundled|cli|codecs|transports|types)|docs|examples(\/[\w-]+)?|examples\/[\w-]+\/[\w-]+\.(js|d\.ts|md)|examples\/README\.md)$/;
    expect(files.filter((file) => !allowed.test(file))).toEqual([]);
  });

  test('has a command that runs as it was installed', async () => {
    const { stdout } = await execute(join(app, 'node_modules', '.bin', NAME), ['--version'], {
      env: inheritedEnv(),
      shell: process.platform === 'win32',
    });
    const { version } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8'));
    expect(stdout).toBe(`${version}\n`);
  });

  test('installs exactly one package into an empty folder', async () => {
    const names = await readdir(join(app, 'node_modules'));
    expect(names.filter((name) => !name.startsWith('.'))).toEqual([NAME]);
  });
});

describe('an installed package', () => {
  const print = 'console.log(JSON.stringify(Object.keys(library).sort()), new library.Singleton().endpoint);\n';
  const printed =
    '["MultipleSingletonsError","Singleton","SingletonError","generateSecret","legacy","tcp"] tcp://127.0.0.1:1337\n';

  test('exports its names to an import of an ES module', async () => {
    await writeFile(join(app, 'main.mjs'), `import * as library from '${NAME}';\n${print}`);
    expect(await node('main.mjs')).toEqual({ stdout: printed, stderr: '' });
  });

  // Some bundlers put a file that is loaded later after the program, which waits for it here.
  describe.each([
    ['legacy', `import { legacy } from '${NAME}';`, '{ codec: legacy() }'],
    ['json', `import { json } from '${NAME}/codecs/json';`, '{ codec: json() }'],
    [
      'msgpack',
      `import { msgpack } from '${NAME}/codecs/msgpack';`,
      `{ codec: msgpack(), secret: 'open sesame, open sesame' }`,
    ],
  ])('with %s', (codec, statement, options) => {
    test.each([
      ['rolldown', bundleByRolldown],
      ['rollup', bundleByRollup],
    ])('bundles with %s into one file that loads nothing later', async (name, bundle) => {
      const source = join(app, `to-bundle-${codec}.mjs`);
      const file = join(app, `${name}-${codec}.mjs`);
      const installed = join(app, 'node_modules', 'msgpackr');
      const port = await freePort();
      await writeFile(
        source,
        `import { Singleton } from '${NAME}';
${statement}
const app = await Singleton.acquire({ ...${options}, port: ${port}, args: process.argv.slice(2) });
app.on('args', (args) => { console.log(JSON.stringify({ event: 'args', args })); app.release(); });
console.log(JSON.stringify({ event: 'host' }));
`,
      );
      await cp(join(project, 'node_modules', 'msgpackr'), installed, { recursive: true });
      onTestFinished(() => rm(installed, { recursive: true, force: true }));
      expect(await bundle(source, file)).toBe(1);
      await rm(installed, { recursive: true });
      const host = run(process.execPath, [file]);
      await host.line('host');
      expect((await run(process.execPath, [file, 'a', 'b']).exited()).code).toBe(0);
      expect(await host.line('args')).toMatchObject({ args: ['a', 'b'] });
      expect((await host.exited()).code).toBe(0);
    });
  });

  test('shows the names of its classes in a stack', async () => {
    await writeFile(
      join(app, 'names.mjs'),
      `import { MultipleSingletonsError, Singleton, SingletonError } from '${NAME}';
console.log(MultipleSingletonsError.name, Singleton.name, SingletonError.name);
`,
    );
    const stdout = 'MultipleSingletonsError Singleton SingletonError\n';
    expect(await node('names.mjs')).toEqual({ stdout, stderr: '' });
  });

  test('throws errors of one class from every entry', async () => {
    await writeFile(
      join(app, 'errors.mjs'),
      `import { Singleton, SingletonError } from '${NAME}';
import { json } from '${NAME}/codecs/json';
import { lengthPrefixed } from '${NAME}/codecs/length-prefixed';
const calls = [
  () => new Singleton({ port: -1 }),
  () => new Singleton({ codec: json(), args: 1, name: 'x'.repeat(256) }),
  () => lengthPrefixed({ name: '' }),
];
for (const call of calls) {
  try { call(); } catch (error) { console.log(error instanceof SingletonError); }
}
`,
    );
    expect(await node('errors.mjs')).toEqual({ stdout: 'true\ntrue\ntrue\n', stderr: '' });
  });

  test('loads in a CommonJS module by require() without a warning', async () => {
    await writeFile(join(app, 'main.cjs'), `const library = require('${NAME}');\n${print}`);
    expect(await node('main.cjs')).toEqual({ stdout: printed, stderr: '' });
  });

  test('requires versions of Node that do not warn at require(), as the README says', async () => {
    const { engines } = JSON.parse(await readFile(join(app, 'node_modules', NAME, 'package.json'), 'utf8'));
    // 22.12 warns that require() of an ES module is experimental, as 23 did up to 23.4.
    expect(engines).toEqual({ node: '^20.19 || ^22.13 || >=24' });
    const readme = await readFile(join(app, 'node_modules', NAME, 'README.md'), 'utf8');
    expect(readme).toContain('Node 20.19 or later in version 20, 22.13 or later in version 22, or 24 and later.');
  });

  test('refuses an import of what is not exported', async () => {
    await writeFile(join(app, 'inside.mjs'), `import '${NAME}/dist/index.js';\n`);
    await expect(node('inside.mjs')).rejects.toThrow('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });

  test('has types that compile under nodenext and bundler, strict and with skipLibCheck off', async () => {
    const configs = { nodenext: { module: 'nodenext' }, bundler: { module: 'esnext', moduleResolution: 'bundler' } };
    for (const [name, resolution] of Object.entries(configs)) {
      const compilerOptions = {
        ...resolution,
        target: 'es2022',
        lib: ['es2022'],
        strict: true,
        skipLibCheck: false,
        noEmit: true,
        types: ['node'],
        typeRoots: [join(project, 'node_modules', '@types')],
      };
      await writeFile(join(app, `${name}.json`), JSON.stringify({ compilerOptions, files: ['consumer.mts'] }));
    }
    await writeFile(join(app, 'consumer.mts'), CONSUMER);
    const tsc = join(project, 'node_modules', 'typescript', 'bin', 'tsc');
    // It prints what is wrong, and then its status is not 0. One process for both: it takes half the time.
    const built = await node(tsc, '--build', 'nodenext.json', 'bundler.json').catch((error: unknown) => error);
    expect(built).toEqual({ stdout: '', stderr: '' });
  });
});

const CONSUMER = `
import {
  MultipleSingletonsError, Singleton, SingletonError, tcp,
  type Client, type Receipt, type ReleaseReason, type SingletonErrorCode, type SingletonOptions,
} from '${NAME}';

const options: SingletonOptions = { port: 21337, secret: 'secret', strict: false };
const app: Singleton = await Singleton.acquire(options);
app.on('args', (args, client) => {
  const all: readonly string[] = args;
  const who: Client = client;
  console.log(all, who.number.toFixed());
  // @ts-expect-error received arguments are read-only
  args.push('more');
  // @ts-expect-error there is no such field
  console.log(client.nothing);
});
app.once('release', (reason) => {
  const why: ReleaseReason = reason;
  // @ts-expect-error no such reason
  if (reason === 'boredom') console.log(why);
});
// @ts-expect-error there is no such event
app.on('error', () => {});
// @ts-expect-error a port is a number
new Singleton({ port: '1337' });
app.trace((args, prefix) => console.log(prefix.toUpperCase(), args.length), 'prefix').unref();

const receipt: Receipt = await Singleton.send({ transport: tcp({ port: 1337 }), args: ['a'] });
// @ts-expect-error no such outcome
if (receipt.outcome === 'lost') console.log(receipt);
try {
  await new Singleton(options).acquire();
} catch (error) {
  if (error instanceof MultipleSingletonsError) console.log(error.receipt.outcome);
  if (error instanceof SingletonError) {
    const code: SingletonErrorCode = error.code;
    // @ts-expect-error no such code
    if (error.code === 'ERR_NOTHING') console.log(code);
  }
}
`;

const execute = promisify(execFile);

async function npm(...args: readonly string[]): Promise<void> {
  // On Windows npm is a script of the shell.
  await execute('npm', [...args, '--cache', join(folder, 'cache')], {
    cwd: folder,
    env: inheritedEnv(),
    shell: process.platform === 'win32',
  });
}

function node(...args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return execute(process.execPath, args, { cwd: app, env: inheritedEnv() });
}

async function tarball(): Promise<string> {
  const name = (await readdir(folder)).find((file) => file.endsWith('.tgz'));
  if (name === undefined) throw new Error('Expected "npm pack" to leave a .tgz file; there is none.');
  return join(folder, name);
}

/** Resolve to the number of files. */
async function bundleByRolldown(input: string, file: string): Promise<number> {
  const bundle = await rolldown({ input, platform: 'node' });
  const { output } = await bundle.write({ file, codeSplitting: false });
  await bundle.close();
  return output.length;
}

async function bundleByRollup(input: string, file: string): Promise<number> {
  const bundle = await rollup({ input, plugins: [nodeResolve()], external: /^node:/ });
  const { output } = await bundle.write({ file, inlineDynamicImports: true });
  await bundle.close();
  return output.length;
}
