import { expect, it } from 'vitest';
import { etcdStore } from '../../../src/transports/etcd/store.ts';
import { errorAnswer, startStub, type StubAnswer, type StubRequest } from '../../helpers/etcd-stub.ts';

const unlimited = (): { signal: AbortSignal } => ({ signal: new AbortController().signal });

it('does not count a renewal if another member shows the key than the one that has confirmed the lease', async () => {
  let lease = '';
  let isCutOff = false;
  const answer = ({ path, body }: StubRequest): StubAnswer => {
    if (path === '/v3/lease/grant') lease = String(body['ID']);
    const kvs = [{ create_revision: '7', value: btoa('a'), lease }];
    if (path === '/v3/lease/keepalive') return [200, { result: { TTL: '6' } }];
    if (path === '/v3/kv/txn') return [200, { succeeded: true, responses: [{}, { response_range: { kvs } }] }];
    return [200, { kvs }];
  };
  // A leader that is cut off confirms a lease by itself, but cannot read without the others.

  const cutOff = await startStub((request) =>
    isCutOff && request.path === '/v3/kv/range' ? errorAnswer(503, 14, 'etcdserver: no leader') : answer(request),
  );
  const other = await startStub(answer);
  const store = etcdStore({ endpoints: [cutOff.endpoint, other.endpoint], key: 'k' });
  const grant = await store.acquire('a', 6000, unlimited());
  expect(await grant?.renew(unlimited())).toBe(true);
  isCutOff = true;
  await expect(grant?.renew(unlimited())).rejects.toThrow('without the others');
  // From now on the other one is asked first.
  expect(await grant?.renew(unlimited())).toBe(true);
});
