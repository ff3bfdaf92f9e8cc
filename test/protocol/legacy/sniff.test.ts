import { once } from 'node:events';
import { request } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { headLength, sniffForeignProtocol } from '../../../src/protocol/legacy/sniff.ts';
import { codeOf } from '../../helpers/codec-compliance.ts';
import { legacyFormat } from '../../helpers/legacy-format.ts';

describe('headLength', () => {
  test.each([
    ['ab\0cd', 3],
    ['ab\ncd', 3],
    ['ab\0\n', 3],
    ['ab\n\0', 3],
    ['\0', 1],
    ['\n', 1],
  ])('stops at the first NUL or line feed of %j', (text, length) => {
    expect(headLength(Buffer.from(text))).toBe(length);
  });

  test.each(['', 'ab', 'ab\r'])('returns undefined for %j, which has no end', (text) => {
    expect(headLength(Buffer.from(text))).toBeUndefined();
  });
});

describe('sniffForeignProtocol', () => {
  test.each([
    ['HTTP', 'GET / HTTP/1.1\r\n'],
    ['HTTP', 'GET / HTTP/1.0\n'],
    ['HTTP', 'PRI * HTTP/2.0\r\n'],
    ['HTTP', 'OPTIONS * HTTP/2\r\n'],
    ['HTTP', 'PROPPATCH /a b HTTP/1.1\r\n'],
    ['HTTP', 'patch / HTTP/1.1\r\n'],
    ['HTTP', 'M-SEARCH * HTTP/1.1\r\n'],
    ['HTTP', "X1!#$%&'*+.^_`|~ / HTTP/1.1\r\n"],
    ['HTTP', `${'x'.repeat(5000)} / HTTP/1.1\r\n`],
    ['HTTP', 'POST / HTTP/1.1\r\nHost: a\r\n\r\n\0--evil-flag\0'],
    ['HTTP', `POST /${'x'.repeat(5000)} HTTP/1.1\r\n`],
    ['SSH', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['SSH', 'SSH-1.99-x\n'],
    ['TLS', '\u{16}\u{3}\u{1}\u{2}\0'],
    ['TLS', '\u{16}\u{3}\u{3}\0'],
    ['the structured protocol of this package', '\u{f5}SSL\r\n'],
  ])('recognizes %s by %j', (name, head) => {
    expect(sniffForeignProtocol(Buffer.from(head, 'latin1'))).toBe(name);
  });

  test('recognizes a protocol in the middle of a larger buffer', () => {
    const around = Buffer.from('xxGET / HTTP/1.1\r\nxx');
    expect(sniffForeignProtocol(new Uint8Array(around.buffer, around.byteOffset + 2, 16))).toBe('HTTP');
  });

  test.each([
    '\0',
    '\n',
    'GET\0',
    'GET / HTTP/1.1\0',
    'GET the news\n',
    'GET / HTTP/1.1 \r\n',
    'GET /HTTP/1.1\r\n',
    'GET / http/1.1\r\n',
    'first\nGET / HTTP/1.1\r\n',
    'first\0GET / HTTP/1.1\r\n',
    'HTTP/1.1 200 OK\r\n',
    'SSH-agent\0',
    'SSH-2024-notes.txt\0',
    'SSH-2024-notes.txt\n',
    'SSH-2.0-notes.txt\0',
    'first\nSSH-2.0-x\n',
    'ssh-2.0\0',
    'my SSH-2.0\0',
    '\u{16}\0',
    '\u{3}\u{16}\0',
    'x\u{16}\u{3}\0',
    '\u{c3}\u{b5}\0',
  ])('recognizes nothing in %j', (head) => {
    expect(sniffForeignProtocol(Buffer.from(head, 'latin1'))).toBeUndefined();
  });
});

describe('the legacy decoder', () => {
  test('refuses a TLS client of Node before the end of stream', async () => {
    expect(await refusal((port) => connectTls({ host: '127.0.0.1', port }).on('error', () => {}))).toBe('TLS');
  });

  test.each(['POST', 'M-SEARCH', 'PROPFIND'])(
    'refuses an HTTP %s with arguments in its body before the end of stream',
    async (method) => {
      expect(await refusal((port) => post(port, method))).toBe('HTTP');
    },
  );

  test.each(['post', 'patch', 'X1', 'x.y!'])(
    'refuses a page that fetches by the method "%s" before the end of stream',
    async (method) => {
      const init = { method, body: '\0--evil-flag\0' };
      const fetchPage = (port: number): void => void fetch(`http://127.0.0.1:${port}`, init).catch(() => {});
      expect(await refusal(fetchPage)).toBe('HTTP');
    },
  );
});

function post(port: number, method: string): void {
  const headers = { 'content-type': 'text/plain' };
  request({ host: '127.0.0.1', port, method, headers })
    .on('error', () => {})
    .end('\0--evil-flag\0');
}

/** Lets a client connect, and returns the protocol that is recognized by its first bytes. */
async function refusal(connect: (port: number) => unknown): Promise<string | undefined> {
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const address = server.address();
  connect(typeof address === 'object' && address ? address.port : 0);
  const [socket]: Socket[] = await once(server, 'connection');
  const [chunk]: Buffer[] = socket ? await once(socket, 'data') : [];
  socket?.destroy();
  const decoder = legacyFormat.createDecoder({ maxMessageBytes: 65_536 });
  expect(codeOf(() => decoder.push(chunk ?? Buffer.of()))).toBe('ERR_SINGLETON_MALFORMED_MESSAGE');
  return chunk && sniffForeignProtocol(chunk.subarray(0, headLength(chunk)));
}
