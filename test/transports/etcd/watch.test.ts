import { expect, it, onTestFinished } from 'vitest';
import { etcdStore } from '../../../src/transports/etcd/store.ts';
import { errorAnswer, type EtcdStub, startStub, type StubAnswer } from '../../helpers/etcd-stub.ts';
import { waitUntil } from '../../helpers/program.ts';

const KEY = 'acme/editor';
const CREATED = { created: true };
const EVENT = { events: [{ type: 'DELETE', kv: { key: btoa(KEY) } }] };

/** The beginning of an answer that does not end. */
function messages(...results: readonly object[]): StubAnswer {
  const text = results.map((result) => `${JSON.stringify({ result })}\n`).join('');
  return (response) => void response.write(text);
}

/** Counts the calls of a watch, which ends with the test. */
function watch(...stubs: readonly EtcdStub[]): { count: number } {
  const calls = { count: 0 };
  const store = etcdStore({ endpoints: stubs.map(({ endpoint }) => endpoint), key: KEY });
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
  const stub = await startStub(() => messages(CREATED, EVENT, {}, EVENT));
  const calls = watch(stub);
  await until('two events', () => calls.count === 2);
  expect(stub.requests[0]).toMatchObject({
    path: '/v3/watch',
    body: { create_request: { key: btoa(KEY) } },
    // Otherwise a member that is cut off from its leader would not end the watch.
    headers: { 'grpc-metadata-hasleader': 'true' },
  });
});

it('connects again after a watch that was canceled, to the next endpoint', async () => {
  const first = await startStub(() => messages({ ...CREATED, canceled: true, cancel_reason: 'no leader' }));
  const second = await startStub(() => messages(CREATED));
  const calls = watch(first, second);
  await until('a report of what may have been missed', () => calls.count === 1);
  expect([first.requests.length, second.requests.length]).toEqual([1, 1]);
});

it.each<[string, StubAnswer]>([
  ['an error', errorAnswer(503, 14, 'etcdserver: no leader')],
  ['a line of more than 64 KiB', (response) => void response.write('x'.repeat(65_537))],
  ['an answer that is not JSON', (response) => void response.end('<html>\n</html>\n')],
])('connects again after %s', async (_, answer) => {
  let count = 0;
  const stub = await startStub(() => ((count += 1) === 1 ? answer : messages(CREATED)));
  const calls = watch(stub);
  await until('a report of what may have been missed', () => calls.count === 1);
  expect(stub.requests).toHaveLength(2);
});
