import { execFileSync } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { generateSecret, Singleton } from '../../src/index.ts';
import { etcd } from '../../src/transports/etcd.ts';
import { postgres, postgresTable } from '../../src/transports/postgres.ts';
import { describeEtcd, type EtcdCluster, startEtcd } from '../helpers/etcd.ts';
import { LinkedFolder } from '../helpers/linked-folder.ts';
import { missing, PostgresServer } from '../helpers/postgres-server.ts';
import { freePort, type Program, run } from '../helpers/program.ts';
import { python } from '../helpers/python.ts';
import { readSnippets, snippetWith } from '../helpers/snippets.ts';

const PAGE = 'docs/fleet.md';
const secret = generateSecret();
const codec = json<string[]>();
const folder = new LinkedFolder();
afterAll(() => folder.remove());

const blocks = readSnippets().filter(({ title }) => title.startsWith(`${PAGE} `));
const textOf = (language: string): string => blocks.find((block) => block.language === language)?.text ?? '';

describeEtcd(`the programs of ${PAGE}`, () => {
  let cluster: EtcdCluster;
  beforeAll(async () => void (cluster = await startEtcd()));
  afterAll(() => cluster.stop());

  it('print what the page shows, if the first one is launched twice', async () => {
    const sessions = blocks.filter(({ language }) => language === 'console').map(({ text }) => text);
    const commands = sessions.map((text) => wordsOf(text.split('\n')[0] ?? ''));
    const shown = sessions.flatMap((text) => text.trimEnd().split('\n')).filter((line) => !/^(\$|$)/.test(line));
    expect([commands.length, shown.length]).toEqual([2, 2]);
    const [endpoint = ''] = cluster.endpoints;
    const file = folder.write('report', snippetWith(PAGE, '10.0.0.1').replace('http://10.0.0.1:2379', endpoint));
    const start = ([, ...args]: readonly string[] = []): Program =>
      run(process.execPath, [file, ...args], { FLEET_SECRET: secret });

    const host = start(commands[0]);
    await host.printed('the host of');
    expect(await start(commands[1]).exited()).toEqual({ code: 0, signal: null });
    await host.printed('launch 1');
    expect(host.stdout.trimEnd().split('\n').map(generalize)).toEqual(shown.map(generalize));
  });

  it('take over one after another in standby, and exit with 0 at SIGTERM whether they are the host or not', async () => {
    const port = `${await freePort()}`;
    const program = snippetWith(PAGE, 'standby: true')
      .replace('7001', port)
      .replace('await app.acquire();', "console.log('waits');\n$&");
    const file = folder.write('replica', program.replace('acme/report', 'acme/replica'));
    const env = { ETCD_ENDPOINTS: cluster.endpoints.join(','), POD_IP: '127.0.0.1', FLEET_SECRET: secret };
    const start = async (): Promise<Program> => {
      const replica = run(process.execPath, [file], env);
      await replica.printed('waits');
      return replica;
    };

    const first = await start();
    await first.printed('the host');
    const [second, third] = await Promise.all([start(), start()]);
    await stop(third);
    await stop(first);
    await second.printed('the host');
    const transport = etcd({ endpoints: cluster.endpoints, key: 'acme/replica' });
    await Singleton.send({ transport, codec, secret, args: ['daily'] });
    await second.printed("a job: [ 'daily' ]");
    expect(tokenOf(second)).toBeGreaterThan(tokenOf(first));
    await stop(second);
  });
});

const hasYaml = python !== undefined && isYamlParsed('a: 1');
if (!hasYaml) console.warn('Not tested, for want of Python with PyYAML: whether the YAML of the documents is YAML.');

describe(`the Deployment of ${PAGE}`, () => {
  const deployment = textOf('yaml');

  it('sets each variable that the program reads, and its port', () => {
    const program = snippetWith(PAGE, 'standby: true');
    const read = Array.from(program.matchAll(/process\.env\['(\w+)'\]/g), ([, name]) => name);
    const set = Array.from(deployment.matchAll(/- name: ([A-Z_]+)$/gm), ([, name]) => name);
    expect(new Set(set)).toEqual(new Set(read));
    const [, port] = /port: (\d+)/.exec(program) ?? [];
    expect(deployment).toContain(`containerPort: ${port}`);
  });

  it('has the form of YAML: names and values, indented by two', () => {
    const lines = deployment.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(20);
    expect(lines.filter((line) => !/^(  )*(- )?\w+:( \S.*)?$/.test(line))).toEqual([]);
  });

  it.runIf(hasYaml)('is YAML', () => expect(isYamlParsed(deployment)).toBe(true));
});

describe.skipIf(missing !== undefined)(`the blocks of ${PAGE} about PostgreSQL`, () => {
  let server: PostgresServer;
  let owner: Pool;

  beforeAll(async () => {
    server = new PostgresServer();
    await server.start();
    owner = server.pool();
  });
  afterAll(() => server.remove());

  it('let a resource refuse a host that was deposed', async () => {
    await owner.query(textOf('sql'));
    await owner.query(`INSERT INTO report (id, body) VALUES ('daily', 'empty')`);
    const file = folder.write('save', snippetWith(PAGE, 'token <= $3'));
    const { save }: { readonly save: (pool: Pool, id: string, body: string, token: number) => Promise<void> } =
      await import(pathToFileURL(file).href);
    await save(owner, 'daily', 'of the first host', 7);
    await save(owner, 'daily', 'of the first host again', 7);
    await save(owner, 'daily', 'of the next host', 9);
    await expect(save(owner, 'daily', 'late', 7)).rejects.toThrow('The report daily was written by a later host.');
    expect((await owner.query('SELECT body FROM report')).rows).toEqual([{ body: 'of the next host' }]);
  });

  it('create the table, and are a program that a launch reaches', async () => {
    const [, script = ''] =
      /node -p "(.*?)" \| psql/.exec(readFileSync(new URL(`../../${PAGE}`, import.meta.url), 'utf8')) ?? [];
    const options = { cwd: folder.path, encoding: 'utf8' } as const;
    const statement = execFileSync(process.execPath, ['-p', script], options);
    expect(statement.trimEnd()).toBe(postgresTable());
    await owner.query(statement);

    const driver = fileURLToPath(new URL('../../node_modules/pg', import.meta.url));
    symlinkSync(driver, join(folder.path, 'node_modules', 'pg'), 'junction');
    const program = snippetWith(PAGE, 'postgres({').replace('10.0.0.11', '127.0.0.1');
    const { host = '' } = owner.options;
    const env = { DATABASE_URL: `postgres://owner@/postgres?host=${host}`, FLEET_SECRET: secret };
    const app = run(process.execPath, [folder.write('row', program)], env);
    await app.printed('the host of postgres:acme/report at tcp://127.0.0.1:');
    const query = (text: string, values: unknown[]) => owner.query(text, values);
    const transport = postgres({ query, key: 'acme/report', advertise: { address: '127.0.0.1' } });
    await Singleton.send({ transport, codec, secret, args: ['daily'] });
    await app.printed("launch 1: [ 'daily' ]");
    expect(app.stderr).toBe('');
  });
});

describe(`the block of ${PAGE} about a loss`, () => {
  it('prints what was confirmed and not done, and ends the process', async () => {
    const text = snippetWith(PAGE, 'watchHost').replace('export ', '');
    const program = `import { Singleton } from 'socket-singleton';
import { json } from 'socket-singleton/codecs/json';
import { memory } from 'socket-singleton/transports/memory';
${text}
const network = memory({ lease: true });
const options = { transport: network.transport('a'), codec: json(), args: ['daily'] };
const app = await Singleton.acquire(options);
watchHost(app);
await Singleton.send(options);
network.steal('a');
`;
    const lost = run(process.execPath, [folder.write('lost', program)]);
    expect(await lost.exited()).toEqual({ code: 1, signal: null });
    expect(lost.stderr).toContain('SingletonError: This process no longer holds');
    expect(lost.stderr).toContain("confirmed and not done: [ 'daily' ]");
  });
});

async function stop(replica: Program): Promise<void> {
  replica.signal('SIGTERM');
  expect(await replica.exited()).toEqual({ code: 0, signal: null });
  expect(replica.stderr).toBe('');
}

/** The words of `$ node report.mjs …`, without `$ node`. */
function wordsOf(command: string): readonly string[] {
  const words = Array.from(command.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, word]) => quoted ?? word ?? '');
  return words.slice(2);
}

function generalize(line: string): string {
  return line.replace(/tcp:\/\/[\d.]+:\d+/, 'tcp://ADDRESS').replace(/token \d+/, 'token N');
}

function tokenOf({ stdout }: Program): number {
  return Number(/token (\d+)/.exec(stdout)?.[1]);
}

function isYamlParsed(text: string): boolean {
  try {
    execFileSync(String(python), ['-c', 'import sys, yaml; yaml.safe_load(sys.stdin)'], { input: text, stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}
