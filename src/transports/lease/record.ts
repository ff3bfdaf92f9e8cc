import { SingletonError } from '../../interface/errors.ts';
import { checkAddress, checkPort } from '../tcp.ts';

/** What a host writes under the key. */
export interface HostRecord {
  /** Where other machines connect to. */
  readonly address: string;
  readonly port: number;
  /** Random, so that no two values are the same. */
  readonly id: string;
  readonly witness?: Witness | undefined;
}

/** On Linux: which process the host is, so that another one on its machine can prove that it has ended. */
export interface Witness {
  /** The id of the system's boot. */
  readonly boot: string;
  /** The namespace that the process id is of. */
  readonly namespace: string;
  /** The time namespace, which `start` is counted in. Old kernels have none. */
  readonly time?: string | undefined;
  readonly pid: number;
  /** When the process was started, in ticks since the boot: process ids are used again. */
  readonly start: string;
}

/** The version of the format. Members that it does not have are ignored. */
const VERSION = 1;

export function formatRecord({ address, port, id, witness }: HostRecord): string {
  return JSON.stringify({ v: VERSION, address, port, id, witness });
}

/** @throws SingletonError `ERR_SINGLETON_ENDPOINT_UNAVAILABLE` if it is no such record */
export function parseRecord(value: string, endpoint: string): HostRecord {
  const record = parseObject(value);
  if (Number.isSafeInteger(record['v']) && Number(record['v']) > VERSION) {
    throw recordError(endpoint, 'was written by a newer version of this package. Update this program');
  }
  const { v, address, port, id, witness } = record;
  if (v === VERSION && isTarget(address, port) && isText(id) && (witness === undefined || isWitness(witness)))
    return { address: String(address), port: Number(port), id, witness };
  throw recordError(
    endpoint,
    'has a value that no host has written. Delete it if no other program uses it, or choose another key',
  );
}

function parseObject(value: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(value));
  } catch {
    return {};
  }
}

function isTarget(address: unknown, port: unknown): boolean {
  try {
    checkAddress('address', address);
    checkPort('port', port);
    return port > 0;
  } catch {
    return false;
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isWitness(value: unknown): value is Witness {
  const { boot, namespace, time, pid, start }: Record<string, unknown> = Object(value);
  if (time !== undefined && !isText(time)) return false;
  return isText(boot) && isText(namespace) && isText(start) && Number.isSafeInteger(pid) && Number(pid) > 0;
}

function recordError(endpoint: string, what: string): SingletonError {
  return new SingletonError('ERR_SINGLETON_ENDPOINT_UNAVAILABLE', `The key ${endpoint} ${what}.`);
}
