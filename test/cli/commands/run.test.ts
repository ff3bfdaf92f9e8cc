import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bash, command, execute } from '../../helpers/command-line.ts';
import { freePort, type Program, waitUntil } from '../../helpers/program.ts';
import { pipeName, socketFolder } from '../../helpers/socket-folder.ts';

const endpointNow = (): string => join(socketFolder(), 'socket');

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

  test('ends a second one at once, with status 0 or N, or after its time with 75 or N', async () => {
    const endpoint = endpointNow();
    const first = await holder(endpoint);
    const second = (...options: readonly string[]) => execute('run', ...options, endpoint, '--', 'false');
    expect(await second()).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(await second('--status', '9')).toEqual({ status: 9, stdout: '', stderr: '' });
    expect(await second('--wait=0.01', '--status', '9')).toEqual({ status: 9, stdout: '', stderr: '' });
    expect(await second('--wait=0.01')).toMatchObject({
      status: 75,
      stderr: expect.stringMatching(/^socket-singleton: ERR_SINGLETON_ENDPOINT_UNAVAILABLE: [^\n]+\n$/),
    });
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
        stderr: expect.stringMatching(
          /ERR_SINGLETON_INVALID_ARGS: [^\n]+the command that runs there takes no launches\)\n$/,
        ),
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
    // The command outlives its parent: it ends when this test closes its stdin.
    const first = await holder(endpoint);
    first.signal('SIGKILL');
    await waitUntil('the end of the parent', async () => !existsSync(`/proc/${first.pid}`) || isZombie(first.pid));
    expect((await execute('run', '--status', '9', endpoint, '--', 'false')).status).toBe(9);
    const waiting = execute('run', '--wait', endpoint, '--', 'sh', '-c', 'exit 3');
    first.endStdin('');
    expect((await waiting).status).toBe(3);
    expect(await first.exited()).toEqual({ code: null, signal: 'SIGKILL' });
  });

  test('forwards signals, and ends by the one that ended its command', async () => {
    const first = command(
      'run',
      endpointNow(),
      '--',
      'sh',
      '-c',
      'trap "echo hangup" HUP; echo up; while :; do sleep 0.01; done',
    );
    await first.printed('up');
    first.signal('SIGHUP');
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
    expect(await execute('send', 'legacy', endpoint)).toMatchObject({ status: 0, stderr: '' });
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
    expect(await execute('send', '--wait', '4', endpoint)).toEqual({ status: 3, stdout: 'for 4\n', stderr: '' });
    first.writeLine();
    expect(await first.exited()).toEqual({ code: 0, signal: null });
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(8);
    for (let at = 0; at < 8; at += 2) expect(lines[at + 1]).toBe(lines[at]?.replace('begin', 'end'));
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
