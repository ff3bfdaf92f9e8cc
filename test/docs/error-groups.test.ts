import { readFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { PassThrough, Readable, Writable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { lengthPrefixed } from '../../src/codecs/length-prefixed.ts';
import { type SendOptions, Singleton, SingletonError } from '../../src/index.ts';
import { frame, MAGIC, EMPTY, serve, readFrame, u32, type RawConnection } from '../helpers/wire.ts';
import { portOf } from '../helpers/program.ts';

const api = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');

/** The codes that docs/api.md lists in each group. */
const groups = {
  notDispatched: codesUnder('The launch was certainly not dispatched'),
  mayHaveRun: codesUnder('The launch may have been dispatched'),
};

function codesUnder(title: string): readonly string[] {
  const [, text = ''] = new RegExp(`^## ${title}\n(.*?)(?=^## )`, 'ms').exec(api) ?? [];
  return Array.from(text.matchAll(/^### `(\w+)`$/gm), ([, code = '']) => code);
}

const HELLO = Buffer.concat([MAGIC, Buffer.of(1, 0, 0, 0)]);
const receipt = (client = 1): Buffer => frame(2, Buffer.concat([Buffer.of(1), u32(client), Buffer.alloc(12)]));

/** What a host does with a connection, after the client hello. */
type Answer = (wire: RawConnection) => unknown;

/** Answers the launch. */
function afterLaunch(answer: Answer): Answer {
  return async (wire) => {
    wire.write(HELLO);
    await readFrame(wire);
    await answer(wire);
  };
}

const wait: SendOptions<unknown> = { wait: true };

describe('a failure after the launch was sent has a code that says so', () => {
  it.each<[string, Answer, SendOptions<unknown>?]>([
    ['an end', (wire) => wire.end()],
    ['a reset', (wire) => wire.reset()],
    ['silence', () => {}, { deliveryTimeout: 100 }],
    ['a frame that is too long', (wire) => wire.write(u32(65_538)), { maxMessageBytes: 1024 }],
    ['a frame that is empty', (wire) => wire.write(u32(0))],
    ['another frame than a receipt', (wire) => wire.write(frame(6, Buffer.from('x')))],
    ['a receipt that is too short', (wire) => wire.write(frame(2, EMPTY))],
    ['a receipt of client 0', (wire) => wire.write(receipt(0))],
    ['an unknown refusal', (wire) => wire.write(frame(3, Buffer.of(9)))],
    ['a refusal that answers a replace', (wire) => wire.write(frame(3, Buffer.of(8)))],
    ['a refusal that ends a session', (wire) => wire.write(frame(3, Buffer.of(7)))],
    ['an end without a result', (wire) => wire.end(receipt()), wait],
    ['a reply that is too long', afterReceipt(u32(70_000)), { ...wait, maxMessageBytes: 1024 }],
    ['a reply that cannot be decoded', afterReceipt(frame(4, Buffer.from('{'))), wait],
    ['an exit without a status', afterReceipt(frame(5, EMPTY)), wait],
    ['refusal 1', afterReceipt(frame(3, Buffer.of(1))), wait],
    ['refusal 3', afterReceipt(frame(3, Buffer.of(3))), wait],
    ['refusal 6', afterReceipt(frame(3, Buffer.of(6))), wait],
    ['refusal 7', afterReceipt(frame(3, Buffer.of(7))), wait],
    ['no result in time', afterReceipt(EMPTY), { wait: 100 }],
    ['output that cannot be written', afterReceipt(frame(6, Buffer.from('x'))), { ...wait, stdout: brokenOutput() }],
    ['stdin that cannot be read', afterReceipt(frame(9, u32(10))), { ...wait, stdin: new PassThrough().destroy() }],
  ])('%s', async (_, answer, options) => {
    const { code } = await sendTo(afterLaunch(answer), options);
    expect(groups.mayHaveRun).toContain(code);
  });

  it.each([...groups.notDispatched, ...groups.mayHaveRun])(
    'a reply at which the serializer throws a SingletonError with %s',
    async (code) => {
      const failing = (): never => {
        throw Object.assign(new SingletonError('ERR_SINGLETON_BUSY', 'No.'), { code });
      };
      const text = { serialize: () => EMPTY, deserialize: () => '' };
      const codec = lengthPrefixed({ ...text, name: 'json', reply: { ...text, deserialize: failing } });
      const error = await sendTo(afterLaunch(afterReceipt(frame(4, EMPTY))), { ...wait, codec });
      expect(groups.mayHaveRun).toContain(error.code);
    },
  );

  it('an encrypted receipt that was changed on its way', async () => {
    const secret = 'a secret of more than 16 bytes';
    const app = await Singleton.acquire<unknown>({ port: 0, codec: json(), args: '', secret });
    onTestFinished(() => app.release());
    // After the hello of 12 bytes and the handshake message of 60.
    const port = await startChangingRelay(Number(new URL(app.endpoint).port), 72);
    const error = await failureOf({ port, codec: json(), args: '', secret });
    expect(groups.mayHaveRun).toContain(error.code);
    expect(error).toMatchObject({ cause: { code: 'ERR_SINGLETON_VERIFICATION_FAILED' } });
    expect(app.clients).toBe(1);
  });
});

describe('a failure before the launch was dispatched has a code that promises it', () => {
  it.each<[string, Answer, SendOptions<unknown>?]>([
    ['another program', (wire) => wire.write(Buffer.from('220 welcome'))],
    ['another version', (wire) => wire.write(Buffer.concat([MAGIC, Buffer.of(2, 1, 0, 0)]))],
    ...[1, 2, 3, 4, 5, 6, 7].map((status): [string, Answer] => [
      `status ${status}`,
      (wire) => wire.write(Buffer.concat([MAGIC, Buffer.of(1, status, 0, 0)])),
    ]),
    ...[1, 2, 3, 4].map((reason): [string, Answer] => [
      `refusal ${reason}`,
      afterLaunch((wire) => wire.write(frame(3, Buffer.of(reason)))),
    ]),
    ['a receipt before the launch', (wire) => wire.write(Buffer.concat([HELLO, receipt()]))],
    ['arguments that cannot be sent', () => {}, { args: () => {} }],
    ['arguments that are too long', () => {}, { args: 'x'.repeat(1000), maxMessageBytes: 100 }],
  ])('%s', async (_, answer, options) => {
    const { code } = await sendTo(answer, options);
    expect(groups.notDispatched).toContain(code);
  });

  it('no host', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const port = portOf(server);
    await new Promise((resolve) => server.close(resolve));
    expect(groups.notDispatched).toContain((await failureOf({ port })).code);
  });
});

function afterReceipt(bytes: Uint8Array): Answer {
  return (wire) => wire.write(Buffer.concat([receipt(), bytes]));
}

function brokenOutput(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done(new Error('broken')) });
}

/** How a launch fails at a host that answers like this. */
async function sendTo(answer: Answer, options: SendOptions<unknown> = {}): Promise<SingletonError> {
  const { port } = await serve([
    async (wire) => {
      const head = await wire.read(12);
      await wire.read(head.readUInt8(10) + head.readUInt8(11));
      await answer(wire);
    },
  ]);
  const streams = { stdout: new PassThrough(), stderr: new PassThrough(), stdin: Readable.from([]) };
  return failureOf({ port, codec: json(), args: '', ...streams, ...options });
}

async function failureOf(options: SendOptions<unknown>): Promise<SingletonError> {
  const error: unknown = await Singleton.send<unknown>(options).catch((reason: unknown) => reason);
  if (error instanceof SingletonError) return error;
  throw new Error(`Expected a SingletonError, got ${JSON.stringify(error)}.`);
}

/** A relay to a host, which changes the first byte of the host after the first `unchanged` ones. */
async function startChangingRelay(hostPort: number, unchanged: number): Promise<number> {
  const server = createServer((client) => {
    const host = createConnection({ port: hostPort, host: '127.0.0.1' });
    let passed = 0;
    host.on('data', (chunk: Buffer) => {
      const at = unchanged - passed;
      passed += chunk.length;
      if (at >= 0 && at < chunk.length) chunk.writeUInt8(chunk.readUInt8(at + 5) ^ 1, at + 5);
      client.write(chunk);
    });
    client.on('data', (chunk) => host.write(chunk));
    for (const [one, other] of [
      [client, host],
      [host, client],
    ] as const)
      one.on('error', () => {}).once('close', () => other.destroy());
  });
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return portOf(server);
}
