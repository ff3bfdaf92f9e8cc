import { createServer } from 'node:net';
import { once } from 'node:events';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { statusOfError } from '../../src/cli/exit-status.ts';
import { EXIT_STATUSES } from '../../src/cli/help/texts.ts';
import { json } from '../../src/codecs/json.ts';
import { SingletonError, type SingletonErrorCode } from '../../src/index.ts';
import { InUseError } from '../../src/interface/errors.ts';
import { execute } from '../helpers/command-line.ts';
import { startHost } from '../helpers/host.ts';
import { portOf } from '../helpers/program.ts';
import { socketFolder } from '../helpers/socket-folder.ts';

/** One line, without a stack. */
const LINE = /^socket-singleton: [^\n]+\n$/;

describe('a command line that is wrong', () => {
  test.each<readonly (readonly string[])[]>([
    [[]],
    [['bogus']],
    [['constructor']],
    [['help', 'bogus']],
    [['--bogus']],
    [['run', 'a']],
    [['run', 'a', 'true']],
    [['run', 'a', '--']],
    [['run', '--', 'true']],
    [['run', 'a', 'b', '--', 'true']],
    [['run', '--wait', '--send', 'a', '--', 'true']],
    [['run', '--status', '256', 'a', '--', 'true']],
    [['send']],
    [['send', '--json', '{"a"', 'a']],
    [['send', '--json', '["9007199254740993", 9007199254740993]', 'a']],
    [['--version', '--foo']],
    [['help', 'run', 'extra']],
    [['run', '--timeout', '1', 'a', '--', 'true']],
    [['run', '--on-launch', '', 'a', '--', 'true']],
    [['send', '--json', '1', 'x', 'a']],
    [['send', '--codec', 'xml', 'x', 'a']],
    [['send', '--wait=soon', 'x', 'a']],
    [['send', 'x', 'line\nfeed']],
    [['listen']],
    [['run', '-x', '--', 'true']],
    [['run', 'tcp://127.0.0.1:0', '--', 'true']],
    [['send', 'x', '--', '-x']],
    [['send', '--timeout', '0', 'x', 'a']],
    [['listen', 'tcp://127.0.0.1:0']],
    [['listen', 'a/']],
    [['status', 'tcp://127.0.0.1:0']],
    [['status', '--', '-x']],
    [['listen', '--reply', 'a']],
    [['status', 'a', 'b']],
    [['stop']],
    [['secret', 'x']],
    [['completion', 'toString']],
  ])('ends with status 2 and one line: %j', async (args) => {
    const { status, stdout, stderr } = await execute(...args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(LINE);
  });

  test('names the help of its command', async () => {
    expect((await execute('send', '--bogus')).stderr).toMatch(/See "socket-singleton send --help"\.\n$/);
    expect((await execute('bogus')).stderr).toMatch(/See "socket-singleton --help"\.\n$/);
  });
});

describe.each(['send', 'status', 'stop'])('%s', (name) => {
  test('ends with status 3 if nobody is there', async () => {
    const { status, stderr } = await execute(name, join(socketFolder(), 'nobody'));
    expect([status, stderr]).toEqual([3, expect.stringMatching(/^socket-singleton: ERR_SINGLETON_NO_HOST: [^\n]+\n$/)]);
  });

  test('ends with status 4 if another program is there', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    onTestFinished(() => void server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { status, stderr } = await execute(name, `tcp://127.0.0.1:${portOf(server)}`);
    expect([status, stderr]).toEqual([4, expect.stringMatching(/ERR_SINGLETON_FOREIGN_HOST: [^\n]+\n$/)]);
  });

  test('ends with status 4 at a host of another application', async () => {
    const app = await startHost({ codec: json(), name: 'one', args: [] });
    const { status, stderr } = await execute(name, '--name', 'other', app.endpoint);
    expect([status, stderr]).toEqual([4, expect.stringMatching(/ERR_SINGLETON_WRONG_APPLICATION: [^\n]+\n$/)]);
  });
});

// Windows has no modes.
test.skipIf(process.platform === 'win32').each([
  ['run', ['--', 'true']],
  ['listen', []],
  ['send', []],
])('an endpoint that others may replace is refused by %s', async (name, rest) => {
  const folder = join(socketFolder(), 'open');
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  const { status, stderr } = await execute(name, join(folder, 'socket'), ...rest);
  expect([status, stderr]).toEqual([4, expect.stringMatching(/ERR_SINGLETON_ENDPOINT_UNAVAILABLE: [^\n]+\n$/)]);
});

describe('statusOfError()', () => {
  test('distinguishes an endpoint that is in use from one that the system does not allow, whatever the message is', () => {
    expect(statusOfError(new InUseError('words', new Error('a failure of the transport')))).toBe(75);
    expect(statusOf('ERR_SINGLETON_ENDPOINT_UNAVAILABLE', { message: 'in use after 1 ms (standby)' })).toBe(4);
  });

  test.each([
    ['getaddrinfo', 'ENOTFOUND', 4],
    ['connect', 'EACCES', 4],
    ['getaddrinfo', 'EAI_AGAIN', 75],
    ['connect', 'EHOSTUNREACH', 75],
    ['read', 'ETIMEDOUT', 1],
  ])(
    'distinguishes a connection that was not made, before which nothing was delivered: %s %s',
    (syscall, code, status) => {
      const cause = Object.assign(new Error(code), { code, syscall });
      expect(statusOf('ERR_SINGLETON_CONNECTION_FAILED', { cause })).toBe(status);
    },
  );

  test.each([
    ['ERR_SINGLETON_INVALID_OPTION', 2],
    ['ERR_SINGLETON_UNENCODABLE', 2],
    ['ERR_SINGLETON_NO_HOST', 3],
    ['ERR_SINGLETON_VERIFICATION_FAILED', 4],
    ['ERR_SINGLETON_INVALID_ARGS', 4],
    ['ERR_SINGLETON_REPLACE_REFUSED', 4],
    ['ERR_SINGLETON_ALREADY_RUNNING', 75],
    ['ERR_SINGLETON_BUSY', 75],
    ['ERR_SINGLETON_HOST_UNRESPONSIVE', 75],
    ['ERR_SINGLETON_CONNECTION_FAILED', 1],
    ['ERR_SINGLETON_LISTENER_FAILED', 1],
    ['ERR_SINGLETON_RELEASED', 1],
  ] as const)('gives %s the status %i, which the help has', (code, status) => {
    expect(statusOf(code)).toBe(status);
    expect(EXIT_STATUSES.map(([documented]) => documented)).toContain(`${status}`);
  });
});

function statusOf(
  code: SingletonErrorCode,
  { message = '', ...options }: ErrorOptions & { message?: string } = {},
): number {
  return statusOfError(new SingletonError(code, message, options));
}
