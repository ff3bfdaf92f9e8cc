import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { json } from '../../codecs/json.ts';
import { Singleton } from '../../index.ts';
import { connectionOptions, oneOperand } from '../arguments.ts';
import type { Invocation } from '../command.ts';
import { transportOf } from '../endpoint.ts';
import { hostStatus } from '../host-status.ts';

/** Replaces the host, and releases at once. Launches in between are reset, and find no host when they try again. */
export async function run({ options, operands }: Invocation): Promise<number> {
  const transport = await transportOf(oneOperand(operands, 'ENDPOINT'));
  const given = { transport, codec: json(), ...connectionOptions(options) };
  const status = await hostStatus(given);
  // `true` would deliver a launch to a host that has followed the first one.
  const app = new Singleton({ ...given, args: [], replace: () => true, strict: false });
  await app.acquire();
  await app.release();
  if (options['wait'] && status.pid !== undefined) await untilEnded(status.pid);
  return 0;
}

/** Milliseconds between two checks: the system reports the end of a process to its parent only. */
const INTERVAL = 50;

async function untilEnded(pid: number): Promise<void> {
  while (await isRunning(pid)) await sleep(INTERVAL);
}

async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is another user's.
    if (Object(error).code !== 'EPERM') return false;
  }
  // A zombie has ended, but its parent has not asked for its status. Other systems than Linux have no such file.
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return !/^\d+ \(.*\) Z /s.test(state);
}
