import { SingletonError } from '../../interface/errors.ts';
import { checkOptionNames } from '../../interface/option-names.ts';
import { requestTimeout } from '../lease/options.ts';
import { backgroundRequest, isGivenUp } from '../lease/requests.ts';
import type { HeldLease, LeaseGrant, LeaseStore } from '../lease/store.ts';
import { AnswerError, finalError } from './failures.ts';
import { Gateway } from './gateway.ts';
import { fieldOf, fromBase64, toBase64 } from './json.ts';
import { type EtcdStoreOptions, resolveStoreOptions, STORE_OPTION_NAMES } from './options.ts';
import { watchKey } from './watch.ts';

/**
 * A key of etcd, under a lease of etcd: the store of `etcd()`, for `lease()`. The token is the `create_revision` of the key.
 * It uses the JSON gateway of etcd (3.4 or later), and needs no package.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function etcdStore(options: EtcdStoreOptions): LeaseStore {
  checkOptionNames(options, STORE_OPTION_NAMES);
  const resolved = resolveStoreOptions(options);
  const gateway = new Gateway(resolved);
  const { key } = resolved;
  let revision: number | undefined;
  return {
    endpoint: `etcd:${key}`,
    advice:
      'Check that this machine can reach etcd, and the address that the host has written to it: the cause says which of them ' +
      'failed; the key of a host that has died is free when its lease expires.',
    get localAddress() {
      return gateway.localAddress;
    },
    async acquire(value, ttl, { signal }) {
      const grant = await acquire(gateway, key, value, ttl, signal);
      // The key was written then, so it does not change before.
      revision = grant?.token ?? revision;
      return grant;
    },
    async read({ signal }) {
      const answer = await gateway.call('/v3/kv/range', { key: toBase64(key) }, signal);
      revision = revisionOf(answer);
      const held = heldOf(fieldOf(answer, 'kvs', 0));
      return held && { value: held.value, token: checkToken(gateway, held.token) };
    },
    watch: (onChange) => watchKey(gateway, key, revision, onChange),
    evict: (token, { signal }) => evict(gateway, key, token, signal),
  };
}

/** A key and its lease as etcd has them. */
interface Held extends HeldLease {
  /** `undefined` if the key does not expire. */
  readonly lease: string | undefined;
}

async function acquire(
  gateway: Gateway,
  key: string,
  value: string,
  ttl: number,
  signal: AbortSignal,
): Promise<LeaseGrant | undefined> {
  const lease = await newLeaseId();
  await grantLease(gateway, lease, Math.ceil(ttl / 1000), signal);
  try {
    const held = await putIfFree(gateway, key, value, lease, signal);
    const token = checkToken(gateway, held.token);
    if (held.lease === lease) return leaseGrant(gateway, key, lease, token);
    await revokeUnused(gateway, lease, signal);
    if (held.value !== value || held.lease === undefined) return undefined;
    // Of an earlier call whose answer was lost.
    if (await keepAlive(gateway, held.lease, signal)) return leaseGrant(gateway, key, held.lease, token);
  } catch (error) {
    // After any other error the key may be held, and the next call finds it.
    if (error instanceof SingletonError) await revokeUnused(gateway, lease, signal);
    // There is no next call. A transaction that is executed later fails without the lease.
    else if (isGivenUp(signal))
      void backgroundRequest((each) => revokeUnused(gateway, lease, each.signal), requestTimeout(ttl));
    throw error;
  }
  throw new Error(`The lease of an earlier attempt at etcd:${key} has expired meanwhile.`);
}

/**
 * A random number of 63 bits, not 0. Chosen here and not by etcd, so that the request may be executed twice, and so that the
 * lease of the key shows that it is ours.
 */
async function newLeaseId(): Promise<string> {
  const { randomBytes } = await import('node:crypto');
  return String((randomBytes(8).readBigUInt64BE() >> 1n) | 1n);
}

async function grantLease(gateway: Gateway, lease: string, seconds: number, signal: AbortSignal): Promise<void> {
  try {
    await gateway.call('/v3/lease/grant', { ID: lease, TTL: String(seconds) }, signal);
  } catch (error) {
    // It was executed twice.
    if (!(error instanceof AnswerError && error.isExistingLease)) throw error;
  }
}

/** Resolves to what is held now: what it has written, or what another process has. */
async function putIfFree(
  gateway: Gateway,
  key: string,
  value: string,
  lease: string,
  signal: AbortSignal,
): Promise<Held> {
  const base64 = toBase64(key);
  const range = { request_range: { key: base64 } };
  const answer = await gateway.call(
    '/v3/kv/txn',
    {
      compare: [{ key: base64, target: 'CREATE', result: 'EQUAL', create_revision: '0' }],
      success: [{ request_put: { key: base64, value: toBase64(value), lease } }, range],
      failure: [range],
    },
    signal,
  );
  const index = fieldOf(answer, 'succeeded') === true ? 1 : 0;
  const held = heldOf(fieldOf(answer, 'responses', index, 'response_range', 'kvs', 0));
  if (!held) throw new Error(`etcd at ${gateway.endpoint} has answered without the key. Use etcd 3.4 or later.`);
  return held;
}

function leaseGrant(gateway: Gateway, key: string, lease: string, token: number): LeaseGrant {
  return {
    token,
    renew: ({ signal }) => renew(gateway, key, lease, token, signal),
    release: ({ signal }) => revoke(gateway, lease, signal),
  };
}

/**
 * Resolves to `false` if the lease has expired. A member that is cut off from the others may confirm a lease without extending it. So the
 * same member must show that the key is still ours, by a read for which it needs the others.
 */
async function renew(
  gateway: Gateway,
  key: string,
  lease: string,
  token: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (!(await keepAlive(gateway, lease, signal))) return false;
  const { endpoint } = gateway;
  const held = heldOf(fieldOf(await gateway.call('/v3/kv/range', { key: toBase64(key) }, signal), 'kvs', 0));
  if (gateway.endpoint !== endpoint) throw new Error(`etcd at ${endpoint} has confirmed the lease without the others.`);
  return held?.token === token;
}

/** Resolves to `false` if the lease has expired. */
async function keepAlive(gateway: Gateway, lease: string, signal: AbortSignal): Promise<boolean> {
  const answer = await gateway.call('/v3/lease/keepalive', { ID: lease }, signal);
  return Number(fieldOf(answer, 'result', 'TTL') ?? 0) > 0;
}

/** Deletes the key of the lease, too. */
async function revoke(gateway: Gateway, lease: string, signal: AbortSignal): Promise<void> {
  try {
    await gateway.call('/v3/lease/revoke', { ID: lease }, signal);
  } catch (error) {
    if (!(error instanceof AnswerError && error.isNotFound)) throw error;
  }
}

/** Without a key, it expires by itself. So a failure does no harm. */
async function revokeUnused(gateway: Gateway, lease: string, signal: AbortSignal): Promise<void> {
  await revoke(gateway, lease, signal).catch(() => {});
}

async function evict(gateway: Gateway, key: string, token: number, signal: AbortSignal): Promise<void> {
  const base64 = toBase64(key);
  const answer = await gateway.call(
    '/v3/kv/txn',
    {
      compare: [{ key: base64, target: 'CREATE', result: 'EQUAL', create_revision: String(token) }],
      success: [{ request_delete_range: { key: base64, prev_kv: true } }],
    },
    signal,
  );
  const evicted = heldOf(fieldOf(answer, 'responses', 0, 'response_delete_range', 'prev_kvs', 0));
  // Otherwise its holder, if it is not dead after all, could renew it.
  if (evicted?.lease !== undefined) await revokeUnused(gateway, evicted.lease, signal);
}

function heldOf(pair: unknown): Held | undefined {
  const revision = fieldOf(pair, 'create_revision');
  if (revision === undefined) return undefined;
  const lease = fieldOf(pair, 'lease');
  return {
    value: fromBase64(fieldOf(pair, 'value')),
    token: Number(revision),
    lease: typeof lease === 'string' && lease !== '0' ? lease : undefined,
  };
}

/** Of the whole store, when it has answered. `undefined` if a number cannot have it. */
function revisionOf(answer: unknown): number | undefined {
  const revision = Number(fieldOf(answer, 'header', 'revision'));
  return Number.isSafeInteger(revision + 1) ? revision : undefined;
}

/** @throws SingletonError if a number cannot have it: two holders would have the same token */
function checkToken(gateway: Gateway, token: number): number {
  if (Number.isSafeInteger(token) && token > 0) return token;
  const text = `the revision of the key is beyond ${Number.MAX_SAFE_INTEGER}, so that it is no token. Use another cluster.`;
  throw finalError(gateway.endpoint, text);
}
