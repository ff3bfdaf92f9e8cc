import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { json } from '../../src/codecs/json.ts';
import { Singleton } from '../../src/index.ts';
import { frames } from '../../src/protocol/frames.ts';
import { encodeLaunch } from '../../src/protocol/launch.ts';
import { encodeReceipt } from '../../src/protocol/messages.ts';
import { portOf, recordEvents } from '../helpers/host.ts';
import {
  afterHello,
  codec,
  expectFrame,
  HOST_HELLO,
  KIND,
  start,
  startJson,
  STATUS_REQUEST,
  type StructuredOptions,
} from '../helpers/requests.ts';
import { clientHello, EMPTY, frame, MAGIC, RawConnection, readFrame, serve, u32 } from '../helpers/wire.ts';

// What a later version may send, and what it may not. test/protocol/client-handshake.test.ts has the side of the client.

const LAUNCH = Buffer.from(frames.encode(encodeLaunch({ args: Buffer.from('["a"]') })));
const WAITING = Buffer.from(frames.encode(encodeLaunch({ args: Buffer.from('["a"]'), wait: true })));
const SKIPPED = Buffer.concat([frame(128, EMPTY), frame(200, Buffer.alloc(100, 1)), frame(255, Buffer.of(3))]);
const hello = (flags = 0): Buffer => clientHello({ flags, application: '' });

async function open(app: Singleton, bytes: Uint8Array = hello()): Promise<RawConnection> {
  const wire = await RawConnection.open(app);
  wire.write(bytes);
  return wire;
}

/** Behind the hellos. */
async function opened(options: StructuredOptions = {}): Promise<{ app: Singleton; wire: RawConnection }> {
  const app = await startJson(options);
  const wire = await open(app);
  expect(await wire.read(12)).toEqual(HOST_HELLO);
  return { app, wire };
}

async function expectReceipt(wire: RawConnection): Promise<void> {
  expect((await expectFrame(wire, KIND.receipt)).subarray(0, 5)).toEqual(Buffer.of(1, 0, 0, 0, 1));
}

describe('the flags of a client hello', () => {
  it.each([4, 8, 64, 128, 5, 255])(
    '%i is unknown: the host answers status 7 before the names have arrived',
    async (flags) => {
      const app = await startJson();
      const { order } = recordEvents(app);
      const wire = await open(app, Buffer.concat([MAGIC, Buffer.of(1, flags)]));
      expect(await wire.read(12)).toEqual(Buffer.concat([MAGIC, Buffer.of(1, 7, 0, 0)]));
      wire.end();
      expect(await wire.readToEnd()).toEqual(EMPTY);
      expect(order).toEqual(['warning']);
    },
  );

  it('may have the fallback, bit 1', async () => {
    const app = await startJson();
    const wire = await open(app, Buffer.concat([hello(2), LAUNCH]));
    expect(await wire.read(12)).toEqual(HOST_HELLO);
    await expectReceipt(wire);
  });

  it('are rejected by the host with status 7, which a client reports at once', async () => {
    const { port } = await serve([
      async (wire) => {
        await wire.read(10);
        wire.write(Buffer.concat([MAGIC, Buffer.of(1, 7, 0, 0)]));
        await wire.readToEnd().catch(() => EMPTY);
      },
    ]);
    const failure = { code: 'ERR_SINGLETON_UNSUPPORTED_VERSION' };
    await expect(Singleton.send({ port, codec, args: ['a'] })).rejects.toMatchObject(failure);
  });
});

describe('a host', () => {
  it.each<[string, readonly Buffer[]]>([
    ['in one piece', [Buffer.concat([SKIPPED, LAUNCH])]],
    ['in pieces', [SKIPPED.subarray(0, 3), SKIPPED.subarray(3, 50), SKIPPED.subarray(50), LAUNCH]],
    ['byte by byte', Array.from(Buffer.concat([SKIPPED, LAUNCH]), (byte) => Buffer.of(byte))],
  ])('skips frames of kinds 128 to 255 before a launch, %s', async (_, pieces) => {
    const { app, wire } = await opened();
    const heard = recordEvents(app);
    for (const piece of pieces) {
      wire.write(piece);
      await setImmediate();
    }
    await expectReceipt(wire);
    expect([heard.args, heard.warnings]).toEqual([[['a']], []]);
  });

  it('skips them before and after a request for the status', async () => {
    const { wire } = await opened();
    wire.write(Buffer.concat([SKIPPED, STATUS_REQUEST, SKIPPED]));
    await expectFrame(wire, KIND.status);
    wire.write(Buffer.concat([SKIPPED, LAUNCH]));
    await expectReceipt(wire);
  });

  it('skips them in a session', async () => {
    const { app, wire } = await opened();
    app.on('args', async (_, client) => {
      const chunks: Buffer[] = [];
      for await (const chunk of client.stdin) chunks.push(chunk);
      client.exit(chunks.join('') === 'in' ? 4 : 1);
    });
    wire.write(WAITING);
    await expectReceipt(wire);
    await expectFrame(wire, 9);
    wire.write(Buffer.concat([SKIPPED, frame(8, Buffer.from('in')), SKIPPED, frame(8, EMPTY), SKIPPED]));
    let last = await readFrame(wire);
    while (last.kind === 9) last = await readFrame(wire);
    expect(last).toMatchObject({ kind: 5, body: Buffer.of(4) });
  });

  it.each([16, 100, 127])('refuses a frame of kind %i as malformed', async (kind) => {
    const { app, wire } = await opened();
    const warned = once(app, 'warning');
    wire.write(frame(kind, EMPTY));
    expect((await expectFrame(wire, KIND.refusal)).readUInt8()).toBe(3);
    expect(await warned).toMatchObject([{ code: 'ERR_SINGLETON_MALFORMED_MESSAGE' }]);
  });

  it('refuses a frame that it would skip, and that is longer than maxMessageBytes, without its body', async () => {
    const { app, wire } = await opened({ maxMessageBytes: 1000 });
    wire.write(Buffer.concat([u32(1000), Buffer.of(200), Buffer.alloc(999)]));
    wire.write(Buffer.concat([u32(1001), Buffer.of(200)]));
    expect((await expectFrame(wire, KIND.refusal)).readUInt8()).toBe(2);
    expect(app.clients).toBe(0);
  });

  it('refuses in a session one that is longer than 65,537 bytes', async () => {
    const { app, wire } = await opened();
    app.on('warning', () => {}).on('args', () => new Promise(() => {}));
    wire.write(WAITING);
    await expectReceipt(wire);
    wire.write(Buffer.concat([u32(65_537), Buffer.of(200), Buffer.alloc(65_536)]));
    wire.write(Buffer.concat([u32(65_538), Buffer.of(200)]));
    expect((await expectFrame(wire, KIND.refusal)).readUInt8()).toBe(3);
  });

  it('ends a client that sends nothing but such frames, by receiveTimeout', async () => {
    const { app, wire } = await opened({ receiveTimeout: 100 });
    const { order } = recordEvents(app);
    const refused = expectFrame(wire, KIND.refusal);
    const turn = async (): Promise<undefined> => {
      wire.write(SKIPPED);
      await setImmediate();
    };
    let refusal: Buffer | undefined;
    while (!refusal) refusal = await Promise.race([refused, turn()]);
    expect(refusal.readUInt8()).toBe(5);
    expect(order).toEqual(['warning']);
  });

  it('skips fields of a launch that it does not know', async () => {
    const { app, wire } = await opened();
    const heard = recordEvents(app);
    const fields = Buffer.concat([
      Buffer.from('63000101', 'hex'),
      Buffer.from('02000131', 'hex'),
      Buffer.from('ff0000', 'hex'),
    ]);
    wire.write(frame(KIND.launch, Buffer.concat([Buffer.alloc(7), u32(fields.length), fields, Buffer.from('["a"]')])));
    await expectReceipt(wire);
    expect(heard.clients).toMatchObject([{ version: '1', env: {} }]);
  });

  it('says in a refusal why, for a log of the client, but nothing that only the host should know', async () => {
    const schema = z.string().max(3, 'at most 3 letters');
    const app = await start(new Singleton({ port: 0, codec: json(), args: '', schema }));
    app.on('warning', () => {});
    const send = { port: portOf(app), codec: json() };
    await expect(Singleton.send({ ...send, args: 'long' })).rejects.toMatchObject({
      code: 'ERR_SINGLETON_INVALID_ARGS',
      message: expect.not.stringContaining('letters'),
      cause: { message: 'The host says: args: at most 3 letters' },
    });
    const throwing = z.string().transform(() => {
      throw new Error('password of the host');
    });
    const other = await start(new Singleton({ port: 0, codec: json(), args: '', schema: throwing }));
    other.on('warning', () => {});
    const failure: unknown = await Singleton.send({ ...send, port: portOf(other), args: 'a' }).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 'ERR_SINGLETON_INVALID_ARGS' });
    expect(failure).not.toHaveProperty('cause');
  });
});

describe('a launch', () => {
  it('is delivered to a host that sends frames to skip, and fields that are not known', async () => {
    const { kind, body } = encodeReceipt({ outcome: 'delivered', client: 5, pid: 6, since: 7, version: 'v' });
    const { port } = await serve([
      afterHello(async (wire) => {
        wire.write(SKIPPED);
        await expectFrame(wire, KIND.launch);
        wire.write(Buffer.concat([SKIPPED, frame(kind, Buffer.concat([body, Buffer.from('63000101', 'hex')]))]));
        expect(await wire.readToEnd()).toEqual(EMPTY);
      }),
    ]);
    const host = { pid: 6, since: new Date(7), version: 'v' };
    expect(await Singleton.send({ port, codec, args: ['a'] })).toEqual({ outcome: 'delivered', client: 5, host });
  });

  it('fails by its deadline at a host that sends nothing but frames to skip', async () => {
    const { port } = await serve([
      afterHello(async (wire) => {
        await expectFrame(wire, KIND.launch);
        while (!wire.isReset) {
          wire.write(SKIPPED);
          await setImmediate();
        }
      }),
    ]);
    const failure = { code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' };
    await expect(Singleton.send({ port, codec, args: ['a'], deliveryTimeout: 100 })).rejects.toMatchObject(failure);
  });
});
