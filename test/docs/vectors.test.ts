import { readFileSync, writeFileSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { format, resolveConfig } from 'prettier';
import { describe, expect, onTestFinished, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { legacy } from '../../src/codecs/legacy.ts';
import { type Receipt, Singleton, SingletonError } from '../../src/index.ts';
import { connectionVectors, type ConnectionVector } from '../helpers/vectors/connections.ts';
import { buildVectors } from '../helpers/vectors/index.ts';
import { clientHello, hostHello, receipt } from '../helpers/vectors/bytes.ts';
import { play } from '../helpers/vectors/tester.ts';
import { RawConnection, readFrame, serve } from '../helpers/wire.ts';

const FILE = new URL('../../docs/vectors.json', import.meta.url);

describe('docs/vectors.json', () => {
  test('is what buildVectors() returns; UPDATE_VECTORS=1 rewrites it', async () => {
    const vectors = buildVectors();
    if (process.env['UPDATE_VECTORS'] === '1') {
      const config = await resolveConfig(FILE);
      writeFileSync(FILE, await format(JSON.stringify(vectors), { ...config, parser: 'json' }));
    }
    expect(JSON.parse(readFileSync(FILE, 'utf8'))).toEqual(vectors);
  });

  test.each(Object.entries(buildVectors()).filter(([, list]) => Array.isArray(list)))(
    'has a unique name for each vector of the list "%s"',
    (_, list) => {
      const names = Array.from(Object(list), (vector) => Object(vector).name);
      expect(names.length).toBeGreaterThan(2);
      expect(new Set(names).size).toBe(names.length);
    },
  );
});

const vectorsTo = (to: 'host' | 'client', isMet: boolean) =>
  connectionVectors()
    .filter(({ to: side, row }) => side === to && UNMET.has(row) !== isMet)
    .map((vector) => [vector.name, vector] as const);

/** This library does something else. A test fails as soon as it does what the vector says: take the row out then. */
const UNMET: ReadonlySet<string> = new Set([]);

describe('a host of this library', () => {
  test.each(vectorsTo('host', true))('reacts as the vector says: %s', expectHostReaction);
  test.fails.each(vectorsTo('host', false))('does not react as the vector says: %s', expectHostReaction);
});

describe('a client of this library', () => {
  test.each(vectorsTo('client', true))('reacts as the vector says: %s', expectClientReaction);
  test.fails.each(vectorsTo('client', false))('does not react as the vector says: %s', expectClientReaction);
});

async function expectHostReaction(_: string, vector: ConnectionVector): Promise<void> {
  const { app, args, warnings } = await startHost(vector);
  const { endpoint } = app;
  const connection = await RawConnection.open(app);
  await play(vector, connection);
  await connection.readToEnd();
  expect([app.clients, args.length]).toEqual(isDispatched(vector) ? [1, 1] : [0, 0]);
  if (UNREPORTED.has(vector.row)) expect(warnings).toEqual([]);
  if (vector.reaction !== 'replaced') return;
  const next = await Singleton.acquire({ port: Number(new URL(endpoint).port) });
  await next.release();
}

async function expectClientReaction(_: string, vector: ConnectionVector): Promise<void> {
  const { outcome, served } = await sendTo(vector);
  await Promise.all(served);
  const delivered = vector.setup.codecs[0] === 'legacy' ? 'delivered, unconfirmed' : 'delivered';
  expect(outcome).toBe(vector.reaction === 'retry' ? `${delivered}, second connection` : vector.reaction);
}

/** The steps expect a receipt, or the vector is one of the two legacy launches that are accepted. */
function isDispatched({ row, steps }: ConnectionVector): boolean {
  return (
    row === 'L1' || row === 'L10' || steps.some((step) => 'receive' in step && step.receive.startsWith('0000001202'))
  );
}

const UNREPORTED: ReadonlySet<string> = new Set(['H40', 'L3']);

async function startHost({ setup, steps }: ConnectionVector) {
  const { application, secret, allowReplace = false } = setup;
  const options = {
    port: 0,
    secret: secret ?? undefined,
    // Expires soon if a step waits for it.
    receiveTimeout: steps.some(({ after }) => after === 'receiveTimeout') ? 50 : 60_000,
  };
  const codec: any = setup.codecs.map((name) => (name === 'json' ? json() : legacy()));
  const app: Singleton<any> = await Singleton.acquire<any>({
    ...options,
    codec,
    name: application,
    args: [],
    allowReplace,
  });
  onTestFinished(() => app.release());
  const args: unknown[] = [];
  const warnings: unknown[] = [];
  app.on('args', (launched) => {
    args.push(launched);
    return new Promise(() => {});
  });
  app.on('warning', (warning) => warnings.push(warning));
  app.on('verifyFailed', (failure) => warnings.push(failure));
  return { app, args, warnings };
}

/** One launch to a host that plays the vector; it accepts a second connection of the client. */
async function sendTo(vector: ConnectionVector) {
  const { codecs, application, secret, waits, stdin = '' } = vector.setup;
  const [codec] = codecs;
  let accepted = 0;
  const { port, served } = await serve([
    async (connection) => {
      accepted += 1;
      await play(vector, connection);
      // The steps receive all that this client sends.
      expect(await connection.readToEnd()).toEqual(Buffer.alloc(0));
    },
    async (connection) => {
      accepted += 1;
      await (codec === 'legacy' ? acceptLegacy : accept)(connection);
    },
  ]);
  const shared = { port, secret: secret ?? undefined };
  const launched: Promise<Partial<Receipt<any>>> =
    codec === 'legacy'
      ? Singleton.send({ ...shared, codec: legacy(), args: ['open'] })
      : Singleton.send<any>({
          ...shared,
          codec: json(),
          name: application,
          args: { file: 'a.txt', line: 3 },
          wait: waits,
          stdin: Readable.from([Buffer.from(stdin, 'hex')]),
          stdout: discard(),
          stderr: discard(),
        });
  const outcome = await launched.then(outcomeOf, failureOf);
  return { outcome: accepted === 1 ? outcome : `${outcome}, second connection`, served };
}

async function accept(connection: RawConnection): Promise<void> {
  await connection.read(clientHello({}).length);
  connection.write(hostHello(0));
  expect(await readFrame(connection)).toMatchObject({ kind: 1 });
  connection.write(receipt());
  await connection.readToEnd();
}

async function acceptLegacy(connection: RawConnection): Promise<void> {
  await connection.readToEnd();
}

function discard(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}

function outcomeOf({ outcome, exitCode }: Partial<Receipt<any>>): string {
  if (exitCode !== undefined) return `exit status ${exitCode}`;
  return outcome === 'unconfirmed' ? 'delivered, unconfirmed' : String(outcome);
}

function failureOf(error: unknown): string {
  if (!(error instanceof SingletonError)) throw error;
  return MAY_HAVE_RUN.has(error.code) ? 'fail, may have run' : 'fail';
}

/** The second group of docs/api.md. */
const MAY_HAVE_RUN: ReadonlySet<string> = new Set([
  'ERR_SINGLETON_CONNECTION_FAILED',
  'ERR_SINGLETON_HOST_UNRESPONSIVE',
  'ERR_SINGLETON_LISTENER_FAILED',
  'ERR_SINGLETON_RELEASED',
]);
