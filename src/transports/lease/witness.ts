import { codeOf } from '../../interface/errors.ts';
import type { Witness } from './record.ts';

const fs: typeof import('node:fs') = process.getBuiltinModule('node:fs');

/** The witness of this process. `undefined` if the system has none: only Linux has. */
export function ownWitness(): Witness | undefined {
  const here = machine();
  const start = here && startOf(process.pid);
  return here && start !== undefined ? { ...here, pid: process.pid, start } : undefined;
}

/**
 * Whether a host has certainly ended: it was a process of this machine and of this process's namespaces, and that process is gone.
 * One that is stopped has not ended. A record without a time namespace counts only if this process has none either.
 */
export function hasEnded({ boot, namespace, time, pid, start }: Witness): boolean {
  const here = machine();
  if (here?.boot !== boot || here.namespace !== namespace || here.time !== time) return false;
  if (!exists(pid)) return true;
  const found = startOf(pid);
  return found !== undefined && found !== start;
}

/** `undefined` also if /proc is that of another namespace, so that its process ids mean nothing here. */
function machine(): Pick<Witness, 'boot' | 'namespace' | 'time'> | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    if (fs.readlinkSync('/proc/self') !== String(process.pid)) return undefined;
    const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return { boot, namespace: fs.readlinkSync('/proc/self/ns/pid'), time: timeNamespace() };
  } catch {
    return undefined;
  }
}

/** `undefined` if the kernel has no time namespaces: it is older than 5.6, or was built without them. */
function timeNamespace(): string | undefined {
  try {
    return fs.readlinkSync('/proc/self/ns/time');
  } catch {
    return undefined;
  }
}

/** With the mount option "hidepid", /proc hides the processes of other users. A signal does not miss them. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

/** When a process was started, or `ended` if only its exit status is left. `undefined` if the system does not say. */
function startOf(pid: number): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may contain anything.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? 'ended' : fields[START_TIME - 4];
  } catch {
    return undefined;
  }
}

/** The number of the field in /proc/PID/stat, counted from 1. That of the state is 3. */
const START_TIME = 22;
