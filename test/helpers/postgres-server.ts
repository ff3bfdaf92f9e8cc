import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { inheritedEnv } from './program.ts';

/** The folder of `initdb` and `postgres`, if this machine has them. Debian keeps them out of PATH. */
const binaries = foldersOfBinaries().find((folder) =>
  ['initdb', 'postgres'].every((it) => existsSync(join(folder, it))),
);

/** PostgreSQL refuses to run as root: it runs as the user of the system's package then. */
const isRoot = process.geteuid?.() === 0;
const user = isRoot ? userNamed('postgres') : undefined;

/** Why there is no server to test with, if there is none. */
export const missing = missingPart();

if (missing !== undefined) console.warn(`${missing}: NOT TESTED is whether postgres() works on a real server.`);

function missingPart(): string | undefined {
  if (process.platform === 'win32') return 'The tests start no PostgreSQL on Windows';
  if (binaries === undefined) return 'No initdb and postgres here';
  return isRoot && !user ? 'These tests run as root, and there is no user "postgres"' : undefined;
}

/** A server with an empty database, which listens on a Unix socket in its own folder alone. */
export class PostgresServer {
  readonly #folder: string;
  readonly #pools: pg.Pool[] = [];
  #process: ChildProcess | undefined;

  constructor() {
    // The path of a socket must be short.
    this.#folder = mkdtempSync('/tmp/socket-singleton-');
    if (user) chownSync(this.#folder, user.uid, user.gid);
    const options = ['--no-sync', '--no-instructions', '--username=owner', '--encoding=UTF8', '--locale=C'];
    execFileSync(this.#program('initdb'), ['-D', this.#data, ...options], { ...this.#spawnOptions, stdio: 'ignore' });
    writeFileSync(join(this.#data, 'pg_hba.conf'), 'local all locked scram-sha-256\nlocal all all trust\n');
  }

  /** Starts it, and resolves once it accepts connections. */
  async start(): Promise<void> {
    const options = ['fsync=off', 'listen_addresses=', `unix_socket_directories=${this.#folder}`];
    const args = ['-D', this.#data, ...options.flatMap((option) => ['-c', option])];
    const server = spawn(this.#program('postgres'), args, {
      ...this.#spawnOptions,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = server;
    let output = '';
    for await (const line of createInterface({ input: server.stderr })) {
      output += `${line}\n`;
      if (!line.includes('ready to accept')) continue;
      server.stderr.resume();
      return;
    }
    throw new Error(`PostgreSQL did not start. ${output}`);
  }

  /** Starts it again, as a replica of a primary that sends nothing. */
  async restartAsReplica(): Promise<void> {
    await this.#stop();
    writeFileSync(join(this.#data, 'standby.signal'), '');
    await this.start();
  }

  /** A pool of its own. */
  pool(config: pg.PoolConfig = {}): pg.Pool {
    const pool = new pg.Pool({ host: this.#folder, database: 'postgres', user: 'owner', ...config });
    // The server ends connections when it stops.
    pool.on('error', () => {});
    this.#pools.push(pool);
    return pool;
  }

  async remove(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.end()));
    await this.#stop();
    rmSync(this.#folder, { recursive: true });
  }

  async #stop(): Promise<void> {
    const server = this.#process;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    // A fast shutdown, which ends connections.
    server.kill('SIGINT');
    await exited;
  }

  get #data(): string {
    return join(this.#folder, 'data');
  }

  get #spawnOptions(): object {
    return { ...user, cwd: this.#folder, env: { ...inheritedEnv(), LC_ALL: 'C' } };
  }

  #program(name: string): string {
    return join(binaries ?? '', name);
  }
}

function foldersOfBinaries(): readonly string[] {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).toSorted((one, other) => Number(other) - Number(one)) : [];
  return [...(process.env['PATH'] ?? '').split(delimiter), ...versions.map((version) => join(debian, version, 'bin'))];
}

function userNamed(name: string): { readonly uid: number; readonly gid: number } | undefined {
  const [, uid, gid] = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(readFileSync('/etc/passwd', 'utf8')) ?? [];
  return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}
