import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const SINGLE = { LISTEN_FDS: '1', LISTEN_PID: `${process.pid}` };

/** That of a new process: it has taken nothing. */
let takeDescriptor: (name: string | undefined) => number | undefined;

beforeEach(async () => {
  handOver({});
  vi.resetModules();
  ({ takeDescriptor } = await import('../../src/transports/listen-fds.ts'));
});
afterEach(() => void vi.unstubAllEnvs());

describe('takeDescriptor', () => {
  it('returns undefined without variables, and if they are not meant for this process', () => {
    for (const env of [
      {},
      { LISTEN_FDS: '1' },
      { LISTEN_PID: `${process.pid}` },
      { LISTEN_FDS: 'of another process', LISTEN_PID: `${process.ppid}`, LISTEN_FDNAMES: 'a:b' },
    ]) {
      handOver(env);
      expect(takeDescriptor(undefined)).toBeUndefined();
      expect(variables()).toEqual(env);
    }
  });

  it('returns descriptor 3 of a single socket once, and removes the variables', () => {
    handOver({ ...SINGLE, LISTEN_FDNAMES: 'app.socket' });
    expect(takeDescriptor(undefined)).toBe(3);
    expect(variables()).toEqual({});
    expect(takeDescriptor(undefined)).toBeUndefined();
  });

  it('returns each of several sockets once by its name, and keeps the variables until the last', () => {
    const several = { LISTEN_FDS: '3', LISTEN_PID: `${process.pid}`, LISTEN_FDNAMES: 'web:admin:app.socket' };
    handOver(several);
    expect(takeDescriptor('app.socket')).toBe(5);
    expect(takeDescriptor('app.socket')).toBeUndefined();
    expect(takeDescriptor('web')).toBe(3);
    expect(takeDescriptor(undefined)).toBeUndefined();
    expect(variables()).toEqual(several);
    expect(takeDescriptor('admin')).toBe(4);
    expect(variables()).toEqual({});
    handOver(several);
    expect(['admin', undefined, 'app.socket'].map((name) => takeDescriptor(name))).toEqual([4, 3, 5]);
  });

  it('returns the first of several sockets with one name', () => {
    handOver({ ...SINGLE, LISTEN_FDS: '2', LISTEN_FDNAMES: 'app:app' });
    expect(takeDescriptor('app')).toBe(3);
    expect(takeDescriptor('app')).toBeUndefined();
  });

  it('has the name "unknown" for a socket without one', () => {
    handOver(SINGLE);
    expect(takeDescriptor('unknown')).toBe(3);
  });

  it('throws for a name that no socket has, with the names and the line of the unit', () => {
    handOver({ ...SINGLE, LISTEN_FDS: '3', LISTEN_FDNAMES: 'web:admin:web' });
    expect(() => takeDescriptor('app')).toThrow(
      'no socket with the name "app", only "web", "admin". Write FileDescriptorName=app into the socket unit',
    );
  });

  it.each([
    ['LISTEN_PID', { LISTEN_FDS: '1', LISTEN_PID: '' }],
    ['LISTEN_PID', { LISTEN_FDS: '1', LISTEN_PID: `${process.pid} ` }],
    ['LISTEN_PID', { LISTEN_FDS: '1', LISTEN_PID: '0' }],
    ['LISTEN_FDS', { ...SINGLE, LISTEN_FDS: '0' }],
    ['LISTEN_FDS', { ...SINGLE, LISTEN_FDS: '-1' }],
    ['LISTEN_FDS', { ...SINGLE, LISTEN_FDS: '1.5' }],
    ['LISTEN_FDS', { ...SINGLE, LISTEN_FDS: 'one' }],
    ['LISTEN_FDS', { ...SINGLE, LISTEN_FDS: '9999999999' }],
    ['LISTEN_FDNAMES', { ...SINGLE, LISTEN_FDNAMES: 'a:b' }],
    ['LISTEN_FDNAMES', { ...SINGLE, LISTEN_FDS: '3', LISTEN_FDNAMES: 'a:b' }],
  ])('throws for a malformed %s: %o', (variable, env) => {
    handOver(env);
    expect(() => takeDescriptor(undefined)).toThrow(`the environment variable ${variable} must be`);
    expect(variables()).toEqual(env);
  });
});

function handOver(env: Readonly<Record<string, string>>): void {
  for (const name of ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES']) vi.stubEnv(name, env[name]);
}

function variables(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('LISTEN_')));
}
