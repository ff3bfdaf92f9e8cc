import { expect, it, onTestFinished, vi } from 'vitest';
import { etcdStore } from '../../../src/transports/etcd/store.ts';
import { errorAnswer, type EtcdStub, startStub, type StubAnswer } from '../../helpers/etcd-stub.ts';
import { pass, passUntil, useFakeTimers } from '../../helpers/lease-time.ts';
import { waitUntil } from '../../helpers/program.ts';

const KEY = 'acme/editor';
const CREATED = { created: true };
const EVENT = { events: [{ type: 'DELETE', kv: { key: btoa(KEY) } }] };

/** The beginning of an answer that does not end. */
function messages(...results: readonly object[]): StubAnswer {
  const text = results.map((result) => `${JSON.stringify({ result })}\n`).join('');
  return (response) => void response.write(text);
}

const NEVER: StubAnswer = () => {};
const READ: StubAnswer = [200, { header: { revision: '5' } }];

/** A stub of which a store has read the key, at revision 5, so that it watches from there. */
function startWatched(answer: () => StubAnswer): Promise<EtcdStub> {
  return startStub(({ path }) => (path === '/v3/watch' ? answer() : READ));
}

function watches({ requests }: EtcdStub): EtcdStub['requests'] {
  return requests.filter(({ path }) => path === '/v3/watch');
}

/** Counts the calls of a watch, which ends with the test. */
async function watch(...stubs: readonly EtcdStub[]): Promise<{ count: number }> {
  const calls = { count: 0 };
  const store = etcdStore({ endpoints: stubs.map(({ endpoint }) => endpoint), key: KEY });
  await store.read({ signal: AbortSignal.timeout(60_000) });
  const watcher = store.watch(() => (calls.count += 1));
  onTestFinished(() => watcher.close());
  return calls;
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  await waitUntil(what, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return isSo();
  });
}

it('reports each event, and not the beginning of the watch', async () => {
  const stub = await startWatched(() => messages(CREATED, EVENT, {}, EVENT));
  const calls = await watch(stub);
  await until('two events', () => calls.count === 2);
  expect(watches(stub)[0]).toMatchObject({
    // What has changed since the read is an event.
    body: { create_request: { key: btoa(KEY), start_revision: '6' } },
    // Otherwise a member that is cut off from its leader would not end the watch.
    headers: { 'grpc-metadata-hasleader': 'true' },
  });
});

it('connects again after a watch that was canceled, to the next endpoint', async () => {
  const first = await startWatched(() => messages({ ...CREATED, canceled: true, cancel_reason: 'no leader' }));
  const second = await startWatched(() => messages(CREATED));
  const calls = await watch(first, second);
  await until('a report of what may have been missed', () => calls.count === 1);
  expect([watches(first).length, watches(second).length]).toEqual([1, 1]);
});

it('is replaced by a watch at another endpoint after a time of silence', async () => {
  let isFrozen = false;
  const first = await startStub(({ path }) =>
    isFrozen ? NEVER : path === '/v3/watch' ? messages(EVENT, CREATED) : READ,
  );
  const second = await startWatched(() => messages(CREATED));
  const store = etcdStore({ endpoints: [first.endpoint, second.endpoint], key: KEY });
  await store.read({ signal: new AbortController().signal });
  // The first request loads modules, which takes real time.
  useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const calls = { count: 0 };
  const watcher = store.watch(() => (calls.count += 1));
  onTestFinished(() => watcher.close());
  await until('the first watch', () => calls.count === 1);
  isFrozen = true;
  // As the caller does; the second endpoint answers.
  await passUntil(store.read({ signal: new AbortController().signal }));
  while (calls.count < 2) await pass(250);
  expect(watches(second).length).toBeGreaterThan(0);
});

it.each<[string, StubAnswer]>([
  ['an error', errorAnswer(503, 14, 'etcdserver: no leader')],
  ['a line of more than 64 KiB', (response) => void response.write('x'.repeat(65_537))],
  ['an answer that is not JSON', (response) => void response.end('<html>\n</html>\n')],
])('connects again after %s', async (_, answer) => {
  let count = 0;
  const stub = await startWatched(() => ((count += 1) === 1 ? answer : messages(CREATED)));
  const calls = await watch(stub);
  await until('a report of what may have been missed', () => calls.count === 1);
  expect(watches(stub)).toHaveLength(2);
});

it('reports the beginning if the store has not read the key, because it may have changed before', async () => {
  const stub = await startStub(() => messages(CREATED));
  await new Promise<void>((resolve) => {
    const watcher = etcdStore({ endpoints: [stub.endpoint], key: KEY }).watch(resolve);
    onTestFinished(() => watcher.close());
  });
  expect(stub.requests[0]?.body).toEqual({ create_request: { key: btoa(KEY) } });
});
