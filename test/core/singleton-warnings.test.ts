import { once } from 'node:events';
import { expect, it } from 'vitest';
import { MultipleSingletonsError, SingletonError } from '../../src/index.ts';
import { closed, dial, dialAccepted, hear, launch, speak, startHost } from '../helpers/host.ts';

const TLS_HELLO = Uint8Array.of(0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x00);
const HTTP_POST = 'POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n--evil-flag\0';

it.each([
  ['is too large', 'x'.repeat(64), 'ERR_SINGLETON_MESSAGE_TOO_LARGE', 'reset'],
  ['is cut off', 'a\0b', 'ERR_SINGLETON_TRUNCATED_MESSAGE', 'end'],
  ['holds nothing', '', 'ERR_SINGLETON_TRUNCATED_MESSAGE', 'end'],
  ['is not UTF-8', Uint8Array.of(0xc3, 0x28, 0), 'ERR_SINGLETON_MALFORMED_MESSAGE', 'end'],
  ['is HTTP', HTTP_POST, 'ERR_SINGLETON_MALFORMED_MESSAGE', 'reset'],
  ['is TLS', TLS_HELLO, 'ERR_SINGLETON_MALFORMED_MESSAGE', 'reset'],
] as const)('a message that %s is a warning, is not counted, and the next launch is served', async (...row) => {
  const [, bytes, code, closing] = row;
  const app = await startHost({ maxMessageBytes: 63 });
  const heard = hear(app);
  expect(await speak(app, bytes)).toBe(closing);
  expect(heard).toMatchObject({ order: ['warning'], warnings: [code] });
  expect(app.clients).toBe(0);
  await launch(app, ['next']);
  expect(heard.args).toEqual([['next']]);
});

it('a message of exactly maxMessageBytes is taken', async () => {
  const app = await startHost({ maxMessageBytes: 4 });
  const heard = hear(app);
  await speak(app, 'abc\0');
  expect(heard.args).toEqual([['abc']]);
});

it('a connection that breaks off is a warning with the cause', async () => {
  const app = await startHost();
  const warned = once(app, 'warning');
  const client = await dialAccepted(app);
  client.resetAndDestroy?.();
  expect(await warned).toMatchObject([{ code: 'ERR_SINGLETON_CONNECTION_FAILED', cause: { code: 'ECONNRESET' } }]);
  expect(app.clients).toBe(1);
});

it('a connection that stays silent is reset at receiveTimeout with a warning', async () => {
  const app = await startHost({ receiveTimeout: 20 });
  const heard = hear(app);
  const client = await dial(app);
  expect(await closed(client)).toBe('reset');
  expect(heard.warnings).toEqual(['ERR_SINGLETON_CONNECTION_FAILED']);
});

it('a silent connection does not hold up the next launch', async () => {
  const app = await startHost();
  const heard = hear(app);
  await dial(app);
  await launch(app, ['a']);
  expect(heard.args).toEqual([['a']]);
});

it('a launch is served although silent connections take up maxConnections: the oldest gives way', async () => {
  const app = await startHost({ maxConnections: 2 });
  const heard = hear(app);
  const [oldest] = [await dial(app), await dial(app)];
  const outcome = closed(oldest);
  await launch(app, ['b']);
  expect(heard).toMatchObject({ args: [['b']], warnings: ['ERR_SINGLETON_BUSY'] });
  expect(await outcome).toBe('reset');
});

it('a warning is a SingletonError that tells nothing of the bytes that came', async () => {
  const app = await startHost({ secret: 'sesame' });
  const warnings: SingletonError[] = [];
  app.on('warning', (warning) => warnings.push(warning));
  await speak(app, 'sesame\0private');
  await speak(app, `GET /private HTTP/1.1\r\n`);
  expect(warnings).toHaveLength(2);
  for (const warning of warnings) {
    expect(warning).toBeInstanceOf(SingletonError);
    expect(warning).not.toBeInstanceOf(MultipleSingletonsError);
    expect(`${warning.stack} ${String(warning.cause)}`).not.toMatch(/private|sesame/);
  }
});

it('a warning that nobody listens to brings nothing down', async () => {
  const app = await startHost();
  await speak(app, 'cut off');
  await launch(app, ['a']);
  expect(app.arguments).toEqual([['a']]);
});
