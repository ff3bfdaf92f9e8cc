import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fixture, freePort, inheritedEnv, type Program, run } from '../helpers/program.ts';

const SECRET = 'correct-horse-battery-staple';
const MIB = 1_048_576;

interface Endpoint {
  readonly host: Program;
  readonly port: number;
  readonly secret: string;
}

async function startHost(secret = '-'): Promise<Endpoint> {
  const port = await freePort();
  const host = run(process.execPath, [fixture('answer.js'), `${port}`, secret, '-', 'host']);
  await host.line('host');
  return { host, port, secret };
}

interface Launched {
  readonly child: ReturnType<typeof spawnLaunch>;
  /** What has arrived so far. */
  readonly stdout: Buffer[];
  readonly stderr: Buffer[];
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
}

function spawnLaunch({ port, secret }: Endpoint, lax: string, words: readonly string[]) {
  return spawn(process.execPath, [fixture('answer.js'), `${port}`, secret, lax, ...words], { env: inheritedEnv() });
}

/** A launch that waits, in a process of its own. */
function launch(endpoint: Endpoint, words: readonly string[], lax = '-'): Launched {
  const child = spawnLaunch(endpoint, lax, words);
  onTestFinished(() => void child.kill('SIGKILL'));
  child.stdin.on('error', () => {});
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  const ended = once(child, 'close').then(() => ({
    code: child.exitCode,
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  }));
  return { child, stdout, stderr, ended };
}

function lines(bytes: number): string {
  let text = '';
  for (let at = 0; at < bytes; at += 1024) text += `${at}`.padEnd(1023, '.') + '\n';
  return text;
}

describe.each([
  ['without a secret', '-'],
  ['with a secret', SECRET],
])('a strict launch that waits, %s,', (_, secret) => {
  test('exits with the status of the host, or 0 with a reply, and prints nothing of its own', async () => {
    const endpoint = await startHost(secret);
    const nothing = { stdout: '', stderr: '' };
    expect(await launch(endpoint, ['exit', '7']).ended).toEqual({ code: 7, ...nothing });
    expect(await launch(endpoint, ['exit', '255']).ended).toEqual({ code: 255, ...nothing });
    expect(await launch(endpoint, ['reply', 'x']).ended).toEqual({ code: 0, ...nothing });
  });

  test('prints 300 KB of stdout and of stderr, whole and in order', async () => {
    const { code, stdout, stderr } = await launch(await startHost(secret), ['pour', '307200']).ended;
    expect(code).toBe(0);
    expect(stdout === lines(307_200)).toBe(true);
    expect(stderr === lines(307_200)).toBe(true);
  });

  test('sends 10 MB of stdin, whole and in order, of which the host buffers at most one window', async () => {
    const { child, ended } = launch(await startHost(secret), ['digest']);
    const bytes = randomBytes(10 * MIB);
    await pipeline(Readable.from([bytes.subarray(0, 100), bytes.subarray(100)]), child.stdin);
    const { code, stdout } = await ended;
    const { most, ...rest } = JSON.parse(stdout);
    expect(rest).toEqual({ bytes: 10 * MIB, digest: createHash('sha256').update(bytes).digest('hex') });
    expect(most).toBeLessThanOrEqual(262_144);
    expect(code).toBe(0);
  });
});

describe('a session between two processes', () => {
  test('pauses the host while the stdout of the client is not read', async () => {
    const endpoint = await startHost();
    const child = spawnLaunch(endpoint, '-', ['pour', `${32 * MIB}`]);
    onTestFinished(() => void child.kill('SIGKILL'));
    child.stderr.resume();
    await endpoint.host.line('paused');
    // Time enough for a host that does not wait to pour all of it.
    for (let others = 0; others < 5; others += 1) await launch(endpoint, ['exit', '0']).ended;
    expect(endpoint.host.all('paused').at(-1)?.['at']).toBeLessThan(16 * MIB);
    let bytes = 0;
    for await (const chunk of child.stdout) bytes += chunk.length;
    expect(bytes).toBe(32 * MIB);
  });

  test('aborts client.signal on Ctrl-C in the client', async () => {
    const endpoint = await startHost();
    const { child, ended } = launch(endpoint, ['hold']);
    await once(child.stdout, 'data');
    expect(endpoint.host.all('gone')).toEqual([]);
    child.kill('SIGINT');
    await endpoint.host.line('gone');
    await ended;
  });
});

describe('a client whose stdout is closed, as by "| head"', () => {
  test('ends quietly, with the status of SIGPIPE', async () => {
    const endpoint = await startHost();
    const { child, ended } = launch(endpoint, ['pour', `${MIB}`]);
    child.stdout.once('data', () => child.stdout.destroy());
    const { code, stderr } = await ended;
    expect(code).toBe(141);
    expect(stderr).not.toContain('Error');
  });

  test('rejects with a code with strict: false', async () => {
    const { child, ended } = launch(await startHost(), ['pour', `${MIB}`], 'lax');
    child.stdout.once('data', () => child.stdout.destroy());
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toContain('ERR_SINGLETON_CONNECTION_FAILED');
  });
});

describe('a launch that waits with strict: false', () => {
  test('rejects with MultipleSingletonsError, whose receipt has the reply; output is still piped', async () => {
    const endpoint = await startHost();
    const reply = await launch(endpoint, ['reply', 'done'], 'lax').ended;
    expect(JSON.parse(reply.stdout)).toMatchObject({ outcome: 'delivered', client: 1, reply: 'done', exitCode: 0 });
    const { stdout } = await launch(endpoint, ['pour', '1024'], 'lax').ended;
    expect(stdout.startsWith(lines(1024))).toBe(true);
    expect(JSON.parse(stdout.slice(1024))).toMatchObject({ exitCode: 0 });
  });

  test('exits although its stdin, which was read in part, stays open', async () => {
    const endpoint = await startHost();
    const { child, ended } = launch(endpoint, ['sip'], 'lax');
    child.stdin.write('x'.repeat(MIB));
    await once(child.stdout, 'data');
    endpoint.host.signal('SIGKILL');
    expect((await ended).code).toBe(1);
  });
});

describe('a host that fails or ends during a session', () => {
  test.each(['throw', 'reject'])(
    'ends the launch with status 1 and LISTENER_FAILED, without its stack, if its listener does %s',
    async (word) => {
      const { code, stderr } = await launch(await startHost(), [word]).ended;
      expect(code).toBe(1);
      expect(stderr).toContain('ERR_SINGLETON_LISTENER_FAILED');
      expect(stderr).not.toContain('the stack of the host');
    },
  );

  test.each([
    ['releases its endpoint', 'release', '0'],
    ['exits with 0', 'end', '0'],
    ['exits with 3', 'end', '3'],
  ])('ends the launch with RELEASED, after its output, when it %s', async (_, ...words) => {
    for (const secret of ['-', SECRET]) {
      const { code, stdout, stderr } = await launch(await startHost(secret), words).ended;
      expect({ code, stdout }).toEqual({ code: 1, stdout: 'going' });
      expect(stderr).toContain('ERR_SINGLETON_RELEASED');
    }
  });

  test('sends a result that was set before process.exit()', async () => {
    for (const secret of ['-', SECRET]) {
      for (const word of ['quit', 'stop']) {
        const ended = await launch(await startHost(secret), [word, '6']).ended;
        expect(ended).toEqual({ code: 6, stdout: 'going', stderr: '' });
      }
    }
  });

  test.each(['hold', 'sip'])(
    'fails the launch with CONNECTION_FAILED when it is killed during the session (%s)',
    async (word) => {
      for (const secret of ['-', SECRET]) {
        const endpoint = await startHost(secret);
        const { child, ended } = launch(endpoint, [word]);
        child.stdin.write('something');
        await once(child.stdout, 'data');
        endpoint.host.signal('SIGKILL');
        const { code, stderr } = await ended;
        expect(code).toBe(1);
        expect(stderr).toContain('ERR_SINGLETON_CONNECTION_FAILED');
      }
    },
  );
});

describe('a host whose client disconnects', () => {
  test.each(['work', 'read'])('continues to run when the listener (%s) rejects', async (word) => {
    for (const secret of ['-', SECRET]) {
      const endpoint = await startHost(secret);
      const { child } = launch(endpoint, [word]);
      await once(child.stdout, 'data');
      child.kill('SIGINT');
      expect(await endpoint.host.line('warning')).toEqual({ event: 'warning', code: 'ERR_SINGLETON_LISTENER_FAILED' });
      expect((await launch(endpoint, ['exit', '4']).ended).code).toBe(4);
    }
  });

  test.each(['hold', 'sip'])('aborts client.signal when the client is killed during the session (%s)', async (word) => {
    for (const secret of ['-', SECRET]) {
      const endpoint = await startHost(secret);
      const { child } = launch(endpoint, [word]);
      child.stdin.write('something');
      await once(child.stdout, 'data');
      child.kill('SIGKILL');
      await endpoint.host.line('gone');
      expect((await launch(endpoint, ['exit', '4']).ended).code).toBe(4);
      expect(endpoint.host.all('warning')).toEqual([]);
    }
  });
});
