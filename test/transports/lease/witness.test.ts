import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Witness } from '../../../src/transports/lease/record.ts';
import { hasEnded, ownWitness } from '../../../src/transports/lease/witness.ts';

test.skipIf(process.platform === 'linux')('a system without /proc has no witness', () => {
  expect(ownWitness()).toBeUndefined();
});

describe.skipIf(process.platform !== 'linux')('hasEnded', () => {
  const own = ownWitness();

  test('is false for this process, and true for one before it with the same id', () => {
    expect(own).toMatchObject({ pid: process.pid });
    expect(hasEnded(witness())).toBe(false);
    expect(hasEnded(witness({ start: '1' }))).toBe(true);
  });

  test('is false for a process of another boot, or of another namespace', () => {
    expect(hasEnded(witness({ start: '1', boot: 'another' }))).toBe(false);
    expect(hasEnded(witness({ start: '1', namespace: 'pid:[1]' }))).toBe(false);
  });

  test('is false for a process of another time namespace, in which its start has another number', () => {
    expect(hasEnded(witness({ start: '1', time: 'time:[1]' }))).toBe(false);
  });

  test.runIf(existsSync('/proc/self/ns/time'))('is false without a time namespace where this process has one', () => {
    expect(own).toMatchObject({ time: expect.stringContaining('time:[') });
    expect(hasEnded(witness({ start: '1', time: undefined }))).toBe(false);
  });

  test('is true on a kernel without time namespaces', () => {
    const { readlinkSync } = process.getBuiltinModule('node:fs');
    const readlink = vi.spyOn(process.getBuiltinModule('node:fs'), 'readlinkSync').mockImplementation((path) => {
      if (String(path).endsWith('/time')) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
      return readlinkSync(path);
    });
    onTestFinished(() => readlink.mockRestore());
    expect(ownWitness()).toMatchObject({ time: undefined });
    expect(hasEnded(witness({ start: '1', time: undefined }))).toBe(true);
  });

  test('is false for a process that runs or is stopped, and true for one that was killed, reaped or not', async () => {
    // The shell waits for its child only when it reads a line.
    const parent = spawn('sh', ['-c', 'sleep 1000 & echo $!; read line; wait'], { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [line]: unknown[] = await once(parent.stdout, 'data');
    const pid = Number(line);
    onTestFinished(() => end(pid));
    const child = witness({ pid, start: startOf(pid) });
    expect(hasEnded(child)).toBe(false);
    process.kill(pid, 'SIGSTOP');
    expect(hasEnded(child)).toBe(false);
    process.kill(pid, 'SIGKILL');
    await vi.waitUntil(() => stateOf(pid) === 'Z');
    expect(hasEnded(child)).toBe(true);
    parent.stdin.end('\n');
    await once(parent, 'exit');
    expect(hasEnded(child)).toBe(true);
  });

  test('is false if the system hides the process', () => {
    // As /proc with "hidepid" does to a process of another user.
    const kill = vi.spyOn(process, 'kill').mockImplementation(() => {
      throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' });
    });
    onTestFinished(() => kill.mockRestore());
    expect(hasEnded(witness({ pid: 2 ** 30 }))).toBe(false);
  });

  function witness(changes: Partial<Witness> = {}): Witness {
    if (!own) throw new Error('this process has no witness');
    return { ...own, ...changes };
  }
});

/** It may have been killed already. */
function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** Of `sleep`, whose name has no space. */
function fieldsOf(pid: number): readonly string[] {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ');
}

function stateOf(pid: number): string | undefined {
  return fieldsOf(pid)[2];
}

function startOf(pid: number): string {
  return fieldsOf(pid)[21] ?? '';
}
