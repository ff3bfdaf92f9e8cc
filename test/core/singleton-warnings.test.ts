import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { MultipleSingletonsError, SingletonError } from '../../src/index.ts';
import { waitForClose, connect, connectAccepted, recordEvents, launch, sendBytes, startHost } from '../helpers/host.ts';

const TLS_HELLO = Uint8Array.of(0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x00);
const HTTP_POST = 'POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n--evil-flag\0';

describe('a host', () => {
  it.each([
    ['is too large', 'x'.repeat(64), 'ERR_SINGLETON_MESSAGE_TOO_LARGE', 'reset'],
    ['is cut off', 'a\0b', 'ERR_SINGLETON_TRUNCATED_MESSAGE', 'end'],
    ['is not UTF-8', Uint8Array.of(0xc3, 0x28, 0), 'ERR_SINGLETON_MALFORMED_MESSAGE', 'end'],
    ['is HTTP', HTTP_POST, 'ERR_SINGLETON_MALFORMED_MESSAGE', 'reset'],
    ['is TLS', TLS_HELLO, 'ERR_SINGLETON_MALFORMED_MESSAGE', 'reset'],
  ] as const)(
    'emits a warning for a message that %s, does not count it, and serves the next launch',
    async (...row) => {
      const [, bytes, code, closing] = row;
      const app = await startHost({ maxMessageBytes: 63 });
      const heard = recordEvents(app);
      expect(await sendBytes(app, bytes)).toBe(closing);
      expect(heard).toMatchObject({ order: ['warning'], warnings: [code] });
      expect(app.clients).toBe(0);
      await launch(app, ['next']);
      expect(heard.args).toEqual([['next']]);
    },
  );

  it('accepts a message of exactly maxMessageBytes', async () => {
    const app = await startHost({ maxMessageBytes: 4 });
    const heard = recordEvents(app);
    await sendBytes(app, 'abc\0');
    expect(heard.args).toEqual([['abc']]);
  });

  it('emits a warning with the cause for a connection that breaks off', async () => {
    const app = await startHost();
    const warned = once(app, 'warning');
    const client = await connectAccepted(app);
    client.resetAndDestroy?.();
    expect(await warned).toMatchObject([{ code: 'ERR_SINGLETON_CONNECTION_FAILED', cause: { code: 'ECONNRESET' } }]);
    expect(app.clients).toBe(1);
  });

  it('resets a connection that stays silent at receiveTimeout, with a warning', async () => {
    const app = await startHost({ receiveTimeout: 20 });
    const heard = recordEvents(app);
    const client = await connect(app);
    expect(await waitForClose(client)).toBe('reset');
    expect(heard.warnings).toEqual(['ERR_SINGLETON_CONNECTION_FAILED']);
  });

  it('serves the next launch beside a silent connection', async () => {
    const app = await startHost();
    const heard = recordEvents(app);
    await connect(app);
    await launch(app, ['a']);
    expect(heard.args).toEqual([['a']]);
  });

  it('resets the oldest silent connection for a launch at maxConnections', async () => {
    const app = await startHost({ maxConnections: 2 });
    const heard = recordEvents(app);
    const [oldest] = [await connect(app), await connect(app)];
    const outcome = waitForClose(oldest);
    await launch(app, ['b']);
    expect(heard).toMatchObject({ args: [['b']], warnings: ['ERR_SINGLETON_BUSY'] });
    expect(await outcome).toBe('reset');
  });

  it('emits a SingletonError without any byte of the message', async () => {
    const app = await startHost({ secret: 'sesame' });
    const warnings: SingletonError[] = [];
    app.on('warning', (warning) => warnings.push(warning));
    await sendBytes(app, 'sesame\0private');
    await sendBytes(app, `GET /private HTTP/1.1\r\n`);
    expect(warnings).toHaveLength(2);
    for (const warning of warnings) {
      expect(warning).toBeInstanceOf(SingletonError);
      expect(warning).not.toBeInstanceOf(MultipleSingletonsError);
      expect(`${warning.stack} ${String(warning.cause)}`).not.toMatch(/private|sesame/);
    }
  });

  it('keeps running when a warning has no listener', async () => {
    const app = await startHost();
    await sendBytes(app, 'cut off');
    await launch(app, ['a']);
    expect(app.arguments).toEqual([['a']]);
  });
});
