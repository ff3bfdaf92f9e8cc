import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { type ClientRequest, request, type RequestOptions } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { freePort, inheritedEnv, Program, waitUntil } from './program.ts';

/** A member of a cluster of etcd: a process that the test has started. */
export class Member {
  readonly endpoint: string;
  readonly #args: readonly string[];
  #program: Program;

  constructor(endpoint: string, args: readonly string[]) {
    this.endpoint = endpoint;
    this.#args = args;
    this.#program = this.#spawn();
  }

  get program(): Program {
    return this.#program;
  }

  /** After its program was killed. It has its data again. */
  async restart(): Promise<void> {
    this.#program = this.#spawn();
    await ready(this, request);
  }

  #spawn(): Program {
    const child = spawn('etcd', this.#args, { env: inheritedEnv() });
    running.add(child);
    child.once('close', () => running.delete(child));
    return new Program(child);
  }
}

/** A cluster of etcd that runs on this machine. */
export interface EtcdCluster {
  readonly members: readonly Member[];
  readonly endpoints: readonly string[];
  /** Ends all members. For `afterAll`. */
  stop(): Promise<void>;
}

/** `describe`, but skips if this machine has no etcd. In CI, the test fails instead, where `.ci/run` can install it. */
export function describeEtcd(title: string, define: () => void): void {
  if (etcdPath() !== undefined) return void describe(title, define);
  const reason = 'there is no program "etcd" on the PATH (Debian: apt-get install etcd-server)';
  const isOptional = process.env['CI'] !== 'true' || process.platform !== 'linux';
  if (isOptional) console.warn(`Skipped "${title}": ${reason}.`);
  describe(title, () => {
    it.skipIf(isOptional)(`runs, which needs etcd: ${reason}`, () => {
      throw new Error(`Expected etcd; ${reason}.`);
    });
  });
}

function etcdPath(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, 'etcd')).find((path) => canAccess(path, constants.X_OK));
}

function canAccess(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** TLS of the client port: files in PEM. */
export interface ServerTls {
  readonly flags: readonly string[];
  /** What a client needs to ask whether the member is ready. */
  readonly get: (url: string, options: RequestOptions) => ClientRequest;
}

/** Starts a cluster and returns it once each member answers. */
export async function startEtcd(count: 1 | 3 = 1, tls?: ServerTls): Promise<EtcdCluster> {
  const folder = mkdtempSync(
    join(canAccess('/dev/shm', constants.W_OK) ? '/dev/shm' : tmpdir(), 'socket-singleton-etcd-'),
  );
  const nodes: { readonly name: string; readonly client: string; readonly peer: string }[] = [];
  for (let index = 0; index < count; index += 1) {
    const client = `${tls ? 'https' : 'http'}://127.0.0.1:${await freePort()}`;
    nodes.push({ name: `n${index}`, client, peer: `http://127.0.0.1:${await freePort()}` });
  }
  const cluster = nodes.map(({ name, peer }) => `${name}=${peer}`).join(',');
  const members = nodes.map(({ name, client, peer }) => {
    const data = join(folder, name);
    const flags = ['--name', name, '--data-dir', data, '--initial-cluster', cluster, ...(tls?.flags ?? []), ...QUICK];
    const urls = ['--listen-client-urls', client, '--advertise-client-urls', client];
    const peers = ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer];
    return new Member(client, [...flags, ...urls, ...peers]);
  });
  const stop = async (): Promise<void> => {
    await Promise.all(members.map(({ program }) => program.kill()));
    rmSync(folder, { recursive: true, force: true });
  };
  await Promise.all(members.map((member) => ready(member, tls?.get ?? request))).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { members, endpoints: members.map(({ endpoint }) => endpoint), stop };
}

/** Elections within a second, passwords that cost little, and no file that a crash of the machine would need. */
const QUICK = '--heartbeat-interval 50 --election-timeout 300 --bcrypt-cost 4 --unsafe-no-fsync --logger zap'.split(
  ' ',
);

/** Those that a test has not ended, such as after a failure in `beforeAll`. */
const running = new Set<{ kill(signal: NodeJS.Signals): unknown }>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

async function ready({ endpoint, program }: Member, get: typeof request | ServerTls['get']): Promise<void> {
  await waitUntil(`etcd at ${endpoint} to be ready`, async () => {
    if (program.hasExited) throw new Error(`Expected etcd to run; it has ended. ${program.stderr}`);
    const health = await send(get(`${endpoint}/health`, { agent: false })).catch(() => '');
    if (health.includes('"true"')) return true;
    await setTimeout(10);
    return false;
  });
}

/** Asks etcd as its own tools do, for what a test needs besides the store. */
export async function callEtcd(endpoint: string, path: string, body: object, token?: string): Promise<string> {
  const headers = token === undefined ? {} : { Authorization: token };
  return send(request(`${endpoint}${path}`, { method: 'POST', agent: false, headers }), JSON.stringify(body));
}

/** The member of a cluster that is its leader. */
export async function leaderOf({ members }: EtcdCluster): Promise<Member> {
  const { endpoint } = members[0] ?? expect.fail('The cluster has no member.');
  const { leader } = JSON.parse(await callEtcd(endpoint, '/v3/maintenance/status', {}));
  const { members: known } = JSON.parse(await callEtcd(endpoint, '/v3/cluster/member/list', {}));
  const url: unknown = known.find(({ ID }: Record<string, unknown>) => ID === leader)?.clientURLs[0];
  return members.find((member) => member.endpoint === url) ?? expect.fail('The cluster has no leader.');
}

function send(sent: ClientRequest, body = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    sent.once('error', reject).once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('end', () => resolve(text)).once('error', reject);
    });
    sent.end(body);
  });
}

/** Enables the authentication of etcd, with a user that may use the keys from the first to before the second. */
export async function enableAuthentication(
  endpoint: string,
  user: { readonly username: string; readonly password: string; readonly keys: readonly [string, string] },
  call: (path: string, body: object) => Promise<string> = (path, body) => callEtcd(endpoint, path, body),
): Promise<string> {
  const { username, password, keys } = user;
  const [key, end] = keys.map((each) => btoa(each));
  for (const name of ['root', username]) {
    await call('/v3/auth/user/add', { name, password });
    await call('/v3/auth/role/add', { name });
    await call('/v3/auth/user/grant', { user: name, role: name });
  }
  await call('/v3/auth/role/grant', { name: username, perm: { permType: 'READWRITE', key, range_end: end } });
  await call('/v3/auth/enable', {});
  return JSON.parse(await call('/v3/auth/authenticate', { name: 'root', password })).token;
}
