import { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { acquire } from '../../../src/cli/run/hold.ts';
import { json } from '../../../src/codecs/json.ts';
import { Singleton } from '../../../src/index.ts';
import { bash, command, execute } from '../../helpers/command-line.ts';
import { startHost } from '../../helpers/host.ts';
import { freePort, isRunning, portOf, type Program, startForeignServer, waitUntil } from '../../helpers/program.ts';
import { ScriptedTransport } from '../../helpers/scripted-transport.ts';
import { pipeName, socketFolder } from '../../helpers/socket-folder.ts';

const endpointNow = (): string => join(socketFolder(), 'socket');

/** The command of a "run" that was killed. It ends with the test at the latest. */
async function orphan(endpoint: string): Promise<Program> {
  const program = command('run', endpoint, '--', 'sh', '-c', 'echo up; exec sleep 1000');
  await program.printed('up');
  program.signal('SIGKILL');
  await waitUntil('the end of "run"', async () => !existsSync(`/proc/${program.pid}`) || isZombie(program.pid));
  return program;
}

/** A command that holds an endpoint until its stdin ends. */
async function holder(...args: readonly string[]): Promise<Program> {
  const program = command('run', ...args, '--', 'sh', '-c', 'echo up; exec cat');
  await program.printed('up');
  return program;
}

describe.skipIf(process.platform === 'win32')('run', () => {
  test.each([
    ['exit 0', 0],
    ['exit 7', 7],
    ['exit 255', 255],
    ['kill -TERM $$', 143],
    ['kill -KILL $$', 137],
  ])('ends with the status of its command: %s', async (script, status) => {
    expect(await execute('run', endpointNow(), '--', 'sh', '-c', script)).toEqual({ status, stdout: '', stderr: '' });
  });

  test.each([
    [['no-such-command'], 127, '"no-such-command" was not found (ENOENT).'],
    [['/'], 126, '"/" cannot be run (EACCES).'],
    [[''], 126, '"" cannot be run'],
    [['true', 'x'.repeat(2 ** 18)], 126, '"true" cannot be run (E2BIG).'],
  ])('reports a command that cannot be run in a line, and frees the endpoint', async (line, status, message) => {
    const endpoint = endpointNow();
    const finished = await execute('run', endpoint, '--', ...line);
    expect(finished).toMatchObject({ status, stderr: expect.stringMatching(/^[^\n]+\n$/) });
    expect(finished.stderr).toContain(`socket-singleton: ${message}`);
    expect((await execute('run', '--status', '9', endpoint, '--', 'true')).status).toBe(0);
  });

  test('reports in a line that there are too many open files', async () => {
    // `any`: the types do not have the method.
    const prototype: any = ChildProcess.prototype;
    const start = vi.spyOn(prototype, 'spawn').mockImplementationOnce(function spawn(this: any) {
      Object.assign(this, { spawnfile: 'true' });
      process.nextTick(() => this.emit('error', Object.assign(new Error('spawn true EMFILE'), { code: 'EMFILE' })));
      // As Node: it has no streams then.
      return -constants.errno.EMFILE;
    });
    onTestFinished(() => start.mockRestore());
    const stderr = 'socket-singleton: "true" cannot be run (EMFILE).\n';
    expect(await execute('run', '--send', endpointNow(), '--', 'true')).toMatchObject({ status: 126, stderr });
  });

  test('ends a second one at once, with status 0 or N, or after its time with 75 or N', async () => {
    const endpoint = endpointNow();
    const first = await holder(endpoint);
    const second = (...options: readonly string[]) => execute('run', ...options, endpoint, '--', 'false');
    expect(await second()).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(await second('--status', '9')).toEqual({ status: 9, stdout: '', stderr: '' });
    const stderr = expect.stringMatching(/^socket-singleton: ERR_SINGLETON_ENDPOINT_UNAVAILABLE: [^\n]+\n$/);
    expect(await second('--wait=0.01', '--status', '9')).toMatchObject({ status: 9, stderr });
    expect(await second('--wait=0.01')).toMatchObject({ status: 75, stderr });
    const waiting = second('--wait');
    first.endStdin('');
    expect((await waiting).status).toBe(1);
    expect(await first.exited()).toEqual({ code: 0, signal: null });
  });

  test('refuses launches of which its command would not learn', async () => {
    const endpoint = endpointNow();
    const first = await holder(endpoint);
    for (const args of [
      ['send', endpoint],
      ['send', '--json', '1', endpoint],
      ['run', '--send', endpoint, '--', 'true'],
    ]) {
      expect(await execute(...args)).toMatchObject({
        status: 4,
        stderr:
          'socket-singleton: ERR_SINGLETON_INVALID_ARGS: The launch was refused: the command that runs there takes no launches.\n',
      });
    }
    first.endStdin('');
    await first.exited();
    expect(first.stderr).toBe('');
  });

  test.each([
    ['a path', async () => endpointNow()],
    ['a port', async () => `tcp://127.0.0.1:${await freePort()}`],
  ])('holds %s after kill -9 until its command has ended', async (_, createEndpoint) => {
    const endpoint = await createEndpoint();
    const first = await orphan(endpoint);
    const stderr = expect.stringMatching(
      /_HOST_UNRESPONSIVE: [^\n]+ is stopped or overloaded; or "run" was killed, and its command still holds [^\n]+\n$/,
    );
    const soon = ['--timeout', '0.01', endpoint];
    for (const args of [
      ['status', ...soon],
      ['stop', ...soon],
      ['send', ...soon],
      ['run', '--send', ...soon, '--', 'x'],
    ])
      expect(await execute(...args)).toMatchObject({ status: 75, stderr });
    expect(await execute('run', '--send', '--status', '9', ...soon, '--', 'x')).toMatchObject({ status: 9, stderr });
    const waiting = execute('run', '--wait', endpoint, '--', 'sh', '-c', 'exit 3');
    process.kill(-Number(first.pid), 'SIGTERM');
    expect((await waiting).status).toBe(3);
  });

  test('ends a second one as usual if the endpoint is held by what does not answer', async () => {
    const endpoint = endpointNow();
    await orphan(endpoint);
    expect(await execute('run', '--status', '9', endpoint, '--', 'false')).toEqual({
      status: 9,
      stdout: '',
      stderr: '',
    });
  });

  test('ends a second one with status 4 if another program has the endpoint, and runs if it has gone', async () => {
    const { port } = await startForeignServer((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const second = ['--status', '9', '--', 'sh', '-c', 'exit 3'];
    const refused = {
      status: 4,
      stderr: expect.stringMatching(/^socket-singleton: ERR_SINGLETON_FOREIGN_HOST: [^\n]+\n$/),
    };
    expect(await execute('run', `tcp://127.0.0.1:${port}`, ...second)).toMatchObject(refused);
    expect(await execute('run', '--wait', `tcp://127.0.0.1:${port}`, ...second)).toMatchObject(refused);
    const ending = createServer((socket) => ending.close() && socket.destroy()).listen(0, '127.0.0.1');
    await once(ending, 'listening');
    expect((await execute('run', `tcp://127.0.0.1:${portOf(ending)}`, ...second)).status).toBe(3);
  });

  test.each([
    ['another secret', { secret: 'another' }, 'ERR_SINGLETON_VERIFICATION_FAILED'],
    ['no secret', {}, 'ERR_SINGLETON_VERIFICATION_FAILED'],
    ['another name', { name: 'other', secret: 'one' }, 'ERR_SINGLETON_WRONG_APPLICATION'],
  ])('ends a second one with status 4 if a host with %s refuses it', async (_, options, code) => {
    const { endpoint } = await startHost({ codec: json(), args: [], ...options });
    const file = join(socketFolder(), 'secret');
    writeFileSync(file, 'one', { mode: 0o600 });
    for (const waiting of [[], ['--wait']]) {
      expect(await execute('run', ...waiting, '--secret-file', file, endpoint, '--', 'false')).toMatchObject({
        status: 4,
        stderr: expect.stringMatching(`^socket-singleton: ${code}: [^\n]+\n$`),
      });
    }
  });

  test('takes an endpoint for held by a host with another codec', async () => {
    const { endpoint } = await startHost({});
    expect(await execute('run', endpoint, '--', 'false')).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test('ends with status 75 if the endpoint stays in use, but nothing listens there', async () => {
    const transport = new ScriptedTransport({ listen: ['taken'] });
    const app = new Singleton<unknown>({ transport, args: [], client: false, strict: false });
    await expect(acquire(app, async () => false)).rejects.toMatchObject({
      status: 75,
      message: `${transport.endpoint} is in use, but no host is listening there.`,
    });
  });

  test('forwards signals, and ends by the one that ended its command', async () => {
    const first = command(
      'run',
      endpointNow(),
      '--',
      'sh',
      '-c',
      // At once, when "run" has just started it.
      'trap "echo hangup" HUP; kill -HUP $PPID; while :; do sleep 0.01; done',
    );
    await first.printed('hangup');
    first.signal('SIGTERM');
    expect(await first.exited()).toEqual({ code: null, signal: 'SIGTERM' });
    expect(first.stderr).toBe('');
  });

  test('--send delivers to descriptor 3 as lines of JSON, and refuses what nobody reads', async () => {
    const endpoint = endpointNow();
    const script =
      'echo up; read -r a <&3; echo "$a"; read -r a <&3; echo "$a"; exec 3<&-; echo closed; read -r a; exit 5';
    const first = command('run', '--send', endpoint, '--', 'sh', '-c', script);
    await first.printed('up');
    expect(await execute('run', '--send', '--status', '6', endpoint, '--', 'x', 'a b', '')).toMatchObject({
      status: 6,
      stderr: '',
    });
    await first.printed('a b');
    expect(await execute('send', '--codec', 'legacy', 'legacy', endpoint)).toMatchObject({ status: 0, stderr: '' });
    await first.printed('closed');
    expect((await execute('send', '--json', '1', endpoint)).status).toBe(4);
    first.writeLine();
    expect(await first.exited()).toEqual({ code: 5, signal: null });
    const [, one = '', two] = first.stdout.split('\n');
    expect(JSON.parse(one)).toEqual({ args: ['a b', ''], cwd: process.cwd(), pid: process.pid });
    expect(two).toBe('{"args":["legacy"]}');
    expect(first.stderr).toBe('socket-singleton: A launch was refused: the command does not read descriptor 3.\n');
  });

  test('--on-launch runs a command for each launch, one at a time, and leaves descriptor 3 closed', async () => {
    const folder = socketFolder();
    const [endpoint, log] = [join(folder, 'socket'), join(folder, 'log')];
    const onLaunch = `echo "begin $1" >> '${log}'; echo "end $1" >> '${log}'; echo "for $1"; exit 3`;
    const script = 'true <&3 2>/dev/null && echo open || echo up; read -r line';
    const first = command('run', '--send', '--on-launch', onLaunch, endpoint, '--', 'sh', '-c', script);
    await first.printed('up');
    await Promise.all(['1', '2', '3'].map((word) => command('run', '--send', endpoint, '--', 'x', word).exited()));
    expect(await execute('send', '4', '--wait', endpoint)).toEqual({ status: 3, stdout: 'for 4\n', stderr: '' });
    first.writeLine();
    expect(await first.exited()).toEqual({ code: 0, signal: null });
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(8);
    expect(first.stderr.match(/^socket-singleton: The command for a launch ended with status 3\.$/gm)).toHaveLength(3);
    for (let at = 0; at < 8; at += 2) expect(lines[at + 1]).toBe(lines[at]?.replace('begin', 'end'));
  });

  test('--on-launch: a signal after the end of the command ends the commands of launches', async () => {
    const endpoint = endpointNow();
    const script = ['sh', '-c', 'echo up; read -r line; exit 4'];
    const first = command('run', '--on-launch', 'sleep 1000 & echo "begun $!"; wait', endpoint, '--', ...script);
    await first.printed('up');
    await execute('send', endpoint);
    await first.printed('begun');
    first.writeLine();
    await waitUntil('the end of the command', async () => (await execute('status', endpoint)).status === 3);
    first.signal('SIGTERM');
    expect(await first.exited()).toEqual({ code: 4, signal: null });
    const [, pid] = /begun (\d+)/.exec(first.stdout) ?? [];
    await waitUntil('the end of what the shell has started', async () => !isRunning(Number(pid)));
  });

  test('leaves a hangup to a command that ignores it, as nohup makes it', async () => {
    const script = 'echo up; read -r line; echo "$line"';
    const first = command('run', endpointNow(), '--', 'nohup', 'sh', '-c', script);
    await first.printed('up');
    process.kill(-Number(first.pid), 'SIGHUP');
    first.writeLine('still here');
    expect(await first.exited()).toEqual({ code: 0, signal: null });
    expect(first.stdout).toBe('up\nstill here\n');
  });

  test('is used in bash as flock is, by two that meet at one name whatever their environment is', async () => {
    const folder = socketFolder();
    const name = pipeName('a job');
    const script = `
      cd "$1"
      job() { socket-singleton run --status 75 "$2" -- sh -c 'echo begun; read -r line; echo ended'; }
      mkfifo input; exec 9<>input
      job "$@" <&9 > log &
      until grep -q begun log 2>/dev/null; do :; done
      # As cron starts it.
      (cd / && unset XDG_RUNTIME_DIR TMPDIR; export HOME=/nowhere; job "$@"); echo "second $?"
      echo >&9; wait $!; echo "first $?"; cat log
      echo | job "$@"; echo "third $?"`;
    const session = bash(script, folder, name);
    expect(await session.exited()).toEqual({ code: 0, signal: null });
    expect(session.stdout).toBe('second 75\nfirst 0\nbegun\nended\nbegun\nended\nthird 0\n');
    expect(session.stderr).toBe('');
  });
});

function isZombie(pid: number | undefined): boolean {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
}
