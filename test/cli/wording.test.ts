import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { legacy } from '../../src/index.ts';
import { execute } from '../helpers/command-line.ts';
import { startHost } from '../helpers/host.ts';
import { startForeignServer } from '../helpers/program.ts';
import { socketFolder } from '../helpers/socket-folder.ts';

/** Options and functions of the library, which the command does not have. */
const LIBRARY =
  /secretFile|generateSecret|allowReplace|standby|deliveryTimeout|max[A-Z]\w+|Option "|\((?:name|wait)\)|"wait"|"path"|\w\(\)/;

/** A file for --secret-file. */
function secretFile(content: string, mode = 0o600): string {
  const path = join(socketFolder(), 'secret');
  writeFileSync(path, content, { mode });
  return path;
}

const endpointOf = async (options: object): Promise<string> => (await startHost({ args: [], ...options })).endpoint;
const structured = (options: object = {}): Promise<string> => endpointOf({ codec: json(), ...options });
const silent = async (): Promise<string> => `tcp://127.0.0.1:${(await startForeignServer(() => {})).port}`;

/** Command lines that fail, each with a message of the library, and what the line says. */
const CASES: readonly (readonly [says: string, line: () => Promise<readonly string[]>])[] = [
  ['--secret-file: expected a file', async () => ['status', '--secret-file', '/nowhere', 'a']],
  ['Create it with "socket-singleton secret"', async () => ['run', '--secret-file', secretFile(''), 'a', '--', 'x']],
  ['Run chmod 600', async () => ['send', '--secret-file', secretFile('x', 0o644), 'a']],
  ['--secret-file: expected UTF-8', async () => ['send', '--codec', 'legacy', '--secret-file', secretFile('\0'), 'a']],
  ['--wait: expected --codec', async () => ['send', '--wait', '--codec', 'legacy', 'a']],
  ['--name: expected no name', async () => ['send', '--name', 'x', '--codec', 'legacy', 'a']],
  ['The arguments: expected an array', async () => ['send', '--json', '1', '--codec', 'legacy', 'a']],
  ['ENDPOINT: expected a name', async () => ['listen', 'a\nb']],
  ['Choose a shorter name.', async () => ['listen', 'a'.repeat(100)]],
  ['Choose a shorter path.', async () => ['listen', `/${'a'.repeat(100)}`]],
  ['ENDPOINT: expected an IP address', async () => ['status', 'tcp://a b:80']],
  ['at most 1048576 bytes, got', async () => ['send', 'x'.repeat(2 ** 20), await structured()]],
  ['longer than the host accepts', async () => ['send', '--json', '"xxxxx"', await structured({ maxMessageBytes: 1 })]],
  ['its queue is full', async () => ['send', '--json', '["second"]', await full()]],
  ['replaced (--allow-stop)', async () => ['stop', await structured()]],
  ['The host refused this request: the host has a secret', async () => ['stop', await structured({ secret: 'x' })]],
  ['on both sides (--secret-file)', async () => ['status', await structured({ secret: 'x' })]],
  ['Another application (--name)', async () => ['status', await structured({ name: 'x' })]],
  ['Another application holds', async () => ['run', await structured({ name: 'x' }), '--', 'x']],
  ['Choose one with --codec', async () => ['send', '--wait', await endpointOf({ codec: legacy() })]],
  ['Choose one with --codec', async () => ['send', '--codec', 'legacy', await structured()]],
  ['This command uses json', async () => ['run', '--send', await endpointOf({ codec: legacy() }), '--', 'x']],
  ['0.01 s (--timeout)', async () => ['status', '--timeout', '0.01', await silent()]],
  ['0.01 s (--timeout)', async () => ['send', '--timeout', '0.01', await silent()]],
  ['0.01 s (--wait)', async () => ['send', '--wait=0.01', await silent()]],
  ['0.01 s (--wait)', async () => ['run', '--wait=0.01', await structured(), '--', 'x']],
  ['another process listens there', async () => ['listen', await silent()]],
  ['or use tcp://HOST:PORT.', async () => ['listen', join(openFolder(), 'socket')]],
];

async function full(): Promise<string> {
  const endpoint = await structured({ maxPending: 1 });
  await execute('send', '--json', '["first"]', endpoint);
  return endpoint;
}

/** To which others may write. */
function openFolder(): string {
  const folder = join(socketFolder(), 'open');
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  return folder;
}

describe.skipIf(process.platform === 'win32')('a message of the library', () => {
  test.each(CASES)('is in the words of the command: %s', async (says, line) => {
    const { status, stderr } = await execute(...(await line()));
    expect(status).toBeGreaterThan(1);
    expect(stderr).toContain(says);
    expect(stderr).not.toMatch(LIBRARY);
  });
});
