import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { json } from '../../codecs/json.ts';
import { type HostStatus, Singleton, SingletonError, type SingletonOptions } from '../../index.ts';
import { connectionOptions, milliseconds, oneOperand } from '../arguments.ts';
import { type Invocation, StatusError, UsageError } from '../command.ts';
import { transportOf } from '../endpoint.ts';
import { BUSY_STATUS } from '../exit-status.ts';
import { hostStatus } from '../host-status.ts';

export async function run({ options, operands }: Invocation): Promise<number> {
  const transport = await transportOf(oneOperand(operands, 'ENDPOINT'));
  const wait = milliseconds('wait', options['wait']);
  if (wait !== undefined && !isLocal(transport.endpoint))
    throw new UsageError('--wait needs an endpoint of this machine: a name, a path, or a loopback address.');
  const given = { transport, codec: json(), ...connectionOptions(options) };
  const status = await hostStatus(given);
  const process = wait === undefined || status.pid === undefined ? undefined : await processOf(status.pid);
  await release(given, status);
  if (process) await untilEnded(process, wait);
  return 0;
}

/** Whether the process of a host is one of this machine. */
function isLocal(endpoint: string): boolean {
  return !endpoint.startsWith('tcp:') || LOOPBACK.test(endpoint);
}

const LOOPBACK = /^tcp:\/\/(?:localhost|127\.[\d.]+|0\.0\.0\.0|\[::1?\]):\d+$/i;

/** Replaces the host, and releases at once. Launches in between are reset, and find no host when they try again. */
async function release(given: SingletonOptions<unknown>, asked: HostStatus): Promise<void> {
  try {
    // `true` would deliver a launch to a host that has followed the first one.
    const app = new Singleton<unknown>({ ...given, args: [], replace: () => true, strict: false });
    await app.acquire();
    await app.release();
  } catch (error) {
    const isRefused = error instanceof SingletonError && error.code === 'ERR_SINGLETON_REPLACE_REFUSED';
    if (!isRefused || (await isThere(given, asked))) throw error;
    // Another "stop" has ended it meanwhile.
  }
}

/** Whether the host that was asked still holds the endpoint. */
async function isThere(given: SingletonOptions<unknown>, asked: HostStatus): Promise<boolean> {
  const now = await Singleton.status(given);
  return now !== undefined && now.pid === asked.pid && now.since?.getTime() === asked.since?.getTime();
}

interface Process {
  readonly pid: number;
  /** When it was started, as the system has it. The number of a process that has ended may be given to another one. */
  readonly start: string | undefined;
}

/** `undefined` if there is no such process here, as for a host in a container. */
async function processOf(pid: number): Promise<Process | undefined> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is another user's.
    if (Object(error).code !== 'EPERM') return undefined;
  }
  // Other systems than Linux have no such file. The state and the start are the first and the 20th field after the name.
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  const [state, ...fields] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  // A zombie has ended, but its parent has not asked for its status.
  return state === 'Z' ? undefined : { pid, start: fields[18] };
}

/** Milliseconds between two checks: the system reports the end of a process to its parent only. */
const INTERVAL = 50;

/** @throws StatusError if it is still there after so many milliseconds */
async function untilEnded({ pid, start }: Process, wait: number | true | undefined): Promise<void> {
  const end = typeof wait === 'number' ? performance.now() + wait : Infinity;
  for (;;) {
    const now = await processOf(pid);
    if (now?.start !== start || !now) return;
    if (performance.now() >= end)
      throw new StatusError(BUSY_STATUS, `The endpoint is free, but the process ${pid} of the host has not ended yet.`);
    await sleep(Math.min(INTERVAL, Math.max(1, end - performance.now())));
  }
}
