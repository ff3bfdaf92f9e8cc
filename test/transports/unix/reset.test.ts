import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { detectReset } from '../../../src/transports/unix/reset.ts';
import { socketFolder } from '../../helpers/socket-folder.ts';

const RESET = Buffer.from('\0reset\r\n');

describe.skipIf(process.platform === 'win32')('detectReset()', () => {
  it.each([1, 2, 3, 4, 5, 6, 7])('reports a reset that arrives as %d bytes and the rest', async (split) => {
    expect(await received([RESET.subarray(0, split), RESET.subarray(split)])).toEqual({ code: 'ECONNRESET', text: '' });
  });

  it('reports a reset that arrives in one chunk or byte by byte', async () => {
    expect(await received([RESET])).toEqual({ code: 'ECONNRESET', text: '' });
    expect(await received([...RESET].map((byte) => Buffer.of(byte)))).toEqual({ code: 'ECONNRESET', text: '' });
  });

  it.each([
    ['the beginning of a reset and the end', ['\0', 'res']],
    ['other bytes after the beginning of a reset', ['\0res', 'T\r\n and more']],
    ['other bytes from the first one', ['a', '\0reset\r\n']],
    ['nothing', []],
  ])('passes on %s', async (_, chunks) => {
    expect(await received(chunks.map((chunk) => Buffer.from(chunk)))).toEqual({
      code: undefined,
      text: chunks.join(''),
    });
  });
});

/** What a client receives if a host sends these chunks, each after the client has received the one before, and ends. */
async function received(chunks: readonly Buffer[]): Promise<{ code: string | undefined; text: string }> {
  const path = join(socketFolder(), 'socket');
  const server = createServer().listen(path);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const client = createConnection(path);
  onTestFinished(() => void client.destroy());
  const outcome: { code: string | undefined; text: string } = { code: undefined, text: '' };
  client.on('error', ({ code }: NodeJS.ErrnoException) => (outcome.code = code));
  detectReset(client)?.on('data', (chunk: Buffer) => (outcome.text += chunk.toString('latin1')));
  const closed = new Promise((resolve) => client.once('close', resolve));
  const [host]: Socket[] = await accepted;
  let sent = 0;
  for (const chunk of chunks) {
    await vi.waitUntil(() => client.bytesRead === sent, { timeout: 60_000 });
    host?.on('error', () => {}).write(chunk);
    sent += chunk.length;
  }
  host?.end();
  await closed;
  return outcome;
}
