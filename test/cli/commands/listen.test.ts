import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bash, command, COMMAND, execute } from '../../helpers/command-line.ts';
import { fixture, freePort, isRunning, run, waitUntil } from '../../helpers/program.ts';
import { output, python } from '../../helpers/python.ts';
import { socketFolder } from '../../helpers/socket-folder.ts';

const isListening = (endpoint: string): Promise<void> =>
  waitUntil('a host', async () => (await execute('status', endpoint)).status === 0);

describe.skipIf(process.platform === 'win32')('listen', () => {
  test('prints each launch as a line of JSON in order, says who it is, and ends when "stop" asks', async () => {
    const endpoint = join(socketFolder(), 'socket');
    const host = command('listen', '--allow-stop', endpoint);
    await isListening(endpoint);
    for (const word of ['1', '2']) await execute('send', word, '', endpoint);
    for (const word of ['3', '4']) await execute('send', '--codec', 'legacy', word, '', endpoint);
    expect(await execute('send', '--wait', '--json', '{"a":[1]}', endpoint)).toMatchObject({ status: 0, stderr: '' });
    const { stdout } = await execute('status', '--json', endpoint);
    expect(JSON.parse(stdout)).toMatchObject({ pid: host.pid, clients: 5, codecs: ['json', 'legacy'] });
    expect((await execute('status', endpoint)).stdout).toMatch(/^endpoint {2}unix:.*\npid +\d+\nclients +5\n/);
    expect((await execute('listen', endpoint)).status).toBe(75);
    expect(await execute('stop', '--wait', endpoint)).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(await host.exited()).toEqual({ code: 0, signal: null });
    expect((await execute('status', endpoint)).status).toBe(3);
    const client = { cwd: process.cwd(), pid: process.pid };
    expect(host.stdout.split('\n')).toEqual([
      ...['1', '2'].map((word) => JSON.stringify({ args: [word, ''], ...client })),
      ...['3', '4'].map((word) => `{"args":["${word}",""]}`),
      JSON.stringify({ args: { a: [1] }, ...client }),
      '',
    ]);
    expect(host.stderr).toBe('');
  });

  test('refuses "stop" unless it allows it, and finishes what it has at a signal', async () => {
    const endpoint = join(socketFolder(), 'socket');
    const host = command('listen', '--reply', 'echo begun; read line; echo "$line"', endpoint);
    await isListening(endpoint);
    const { status, stderr } = await execute('stop', endpoint);
    expect([status, stderr]).toEqual([4, expect.stringContaining('ERR_SINGLETON_REPLACE_REFUSED')]);
    const launch = command('send', '--wait', endpoint);
    await launch.printed('begun');
    host.signal('SIGTERM');
    await waitUntil('the endpoint to be free', async () => (await execute('status', endpoint)).status === 3);
    launch.writeLine('the last line');
    expect(await launch.exited()).toEqual({ code: 0, signal: null });
    expect(launch.stdout).toBe('begun\nthe last line\n');
    expect(await host.exited()).toEqual({ code: 0, signal: null });
  });

  test('answers by a command in its own directory, whose operands are no code, and reports one that fails in a line', async () => {
    const folder = socketFolder();
    const endpoint = join(folder, 'socket');
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    // What a launch could bring about if the command ran in its directory.
    writeFileSync(join(elsewhere, 'answer'), 'echo mine', { mode: 0o755 });
    writeFileSync(join(folder, 'answer'), 'echo "$SOCKET_SINGLETON_CWD"; for i; do echo "[$i]"; done; exit 7', {
      mode: 0o755,
    });
    const host = bash('cd "$1" && socket-singleton listen --reply \'./answer "$@"\' "$2"', folder, endpoint);
    await isListening(endpoint);
    const launch = bash(
      'cd "$1" && socket-singleton send --wait "\\$(id)" "; id" "" "$2" </dev/null',
      elsewhere,
      endpoint,
    );
    expect(await launch.exited()).toEqual({ code: 7, signal: null });
    expect(launch.stdout).toBe(`${elsewhere}\n[$(id)]\n[; id]\n[]\n`);
    expect(await execute('send', '--wait', '--json', '["\\u0000"]', endpoint)).toMatchObject({
      status: 4,
      stderr: expect.stringContaining(
        ': The launch was refused: an argument has a NUL, which the command there cannot have.',
      ),
    });
    const tooLong = JSON.stringify(['x'.repeat(2 ** 18)]);
    expect(await execute('send', '--wait', '--json', tooLong, endpoint)).toMatchObject({ status: 126, stderr: '' });
    process.kill(-Number(host.pid), 'SIGINT');
    await host.exited();
    expect(host.stderr).toBe('socket-singleton: The command for a launch could not be started (E2BIG).\n');
  });

  test('ends what a shell has started with an interrupted client, and itself ends after the work', async () => {
    const folder = socketFolder();
    const endpoint = join(folder, 'socket');
    const reply = `case $1 in
      fail) exit 5 ;;
      group) sleep 1000 & echo $!; wait ;;
      stubborn) trap '' TERM; mkfifo '${folder}/go'; echo begun; read -r line < '${folder}/go'; echo "$line" > '${folder}/done' ;;
    esac`;
    const host = command('listen', '--reply', reply, endpoint);
    await isListening(endpoint);
    expect((await execute('send', 'fail', endpoint)).status).toBe(0);
    const [interrupted, stubborn] = [
      command('send', '--wait', 'group', endpoint),
      command('send', '--wait', 'stubborn', endpoint),
    ];
    await interrupted.printed('\n');
    await stubborn.printed('begun');
    interrupted.signal('SIGINT');
    stubborn.signal('SIGINT');
    await waitUntil('the end of the group', async () => !isRunning(Number(interrupted.stdout)));
    const last = command('send', '--wait', 'group', endpoint);
    await last.printed('\n');
    host.signal('SIGINT');
    await waitUntil('the endpoint to be free', async () => (await execute('status', endpoint)).status === 3);
    // It waits for both. A second signal ends the commands.
    host.signal('SIGINT');
    expect((await last.exited()).code).toBe(143);
    await writeFile(join(folder, 'go'), 'the work\n');
    expect(await host.exited()).toEqual({ code: 0, signal: null });
    expect(readFileSync(join(folder, 'done'), 'utf8')).toBe('the work\n');
    expect(host.stderr).toBe('socket-singleton: The command for a launch ended with status 5.\n');
  });

  test('ends with status 141 and one line when its output was closed', async () => {
    const endpoint = join(socketFolder(), 'socket');
    const host = bash('{ socket-singleton listen "$1"; echo "status $?" >&2; } | head -n 1', endpoint);
    await isListening(endpoint);
    await execute('send', 'first', endpoint);
    await host.printed('first');
    // Which one finds that the reader has gone depends on when that ended.
    await waitUntil('the end', async () => (await execute('send', 'more', endpoint)).status === 3);
    await host.exited();
    expect(host.stderr).toBe('socket-singleton: The output was closed.\nstatus 141\n');
  });

  test.skipIf(python === undefined)('and programs in Python, shell and Node hand each other arguments', async () => {
    const port = await freePort();
    const endpoint = `tcp://127.0.0.1:${port}`;
    const host = command('listen', '--reply', 'printf "%s|" "$@"; echo', endpoint);
    await isListening(endpoint);
    const client = run(String(python), [
      fixture('peer'),
      'client',
      '--port',
      `${port}`,
      '--wait',
      '--stdin',
      '',
      'from',
      'Python',
    ]);
    await client.exited();
    expect(output(client, 'stdout')).toBe('from|Python|\n');
    const thePackage = run(String(python), [
      fixture('peer'),
      'package-client',
      '--port',
      `${port}`,
      'from',
      'the package',
    ]);
    await thePackage.exited();
    await host.printed('from|the package|');
    await host.kill();

    // Another port: the package cannot bind one on which a connection of the host was closed lately.
    const packagePort = await freePort();
    const peer = run(String(python), [fixture('peer'), 'package-host', '--port', `${packagePort}`]);
    await peer.line('host');
    const line = '"$0" "$1" send "from a shell" ä "tcp://127.0.0.1:$2"';
    const shell = run('sh', ['-c', line, process.execPath, COMMAND, `${packagePort}`]);
    expect(await shell.exited()).toEqual({ code: 0, signal: null });
    expect(await peer.line('args')).toMatchObject({ args: ['from a shell', 'ä'] });
  });
});
