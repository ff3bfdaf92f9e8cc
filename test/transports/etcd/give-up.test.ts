import { EventEmitter, once } from 'node:events';
import { expect, it } from 'vitest';
import { etcdStore } from '../../../src/transports/etcd/store.ts';
import { type EtcdStub, startStub, type StubRequest } from '../../helpers/etcd-stub.ts';

/** A stub that does not answer a transaction, and a store that has asked it to acquire the key. */
async function startAcquire(signal: AbortSignal): Promise<{
  readonly stub: EtcdStub;
  readonly acquiring: Promise<unknown>;
  readonly revoked: Promise<unknown>;
}> {
  const asked = new EventEmitter();
  const stub = await startStub(({ path }) => {
    asked.emit(path);
    return path === '/v3/kv/txn' ? () => {} : [200, {}];
  });
  const revoked = once(asked, '/v3/lease/revoke');
  const transaction = once(asked, '/v3/kv/txn');
  const store = etcdStore({ endpoints: [stub.endpoint], key: 'acme/editor' });
  const acquiring = store.acquire('a', 60_000, { signal });
  acquiring.catch(() => {});
  await transaction;
  return { stub, acquiring, revoked };
}

it('revokes its lease if it is given up, because etcd may still execute the transaction', async () => {
  const controller = new AbortController();
  const { stub, acquiring, revoked } = await startAcquire(controller.signal);
  controller.abort(new Error('given up'));
  await expect(acquiring).rejects.toThrow();
  await revoked;
  const [grant, , revoke] = stub.requests;
  expect(revoke?.body).toEqual({ ID: grant?.body['ID'] });
});

it('keeps its lease if there was no answer in time, because the next call finds it', async () => {
  const controller = new AbortController();
  const { stub, acquiring } = await startAcquire(controller.signal);
  controller.abort(new DOMException('too late', 'TimeoutError'));
  await expect(acquiring).rejects.toThrow();
  // A request that was sent before would have arrived before.
  await etcdStore({ endpoints: [stub.endpoint], key: 'acme/editor' }).read({ signal: AbortSignal.timeout(60_000) });
  expect(stub.requests.map(({ path }: StubRequest) => path)).toEqual(['/v3/lease/grant', '/v3/kv/txn', '/v3/kv/range']);
});
