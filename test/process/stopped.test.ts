import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { connect, dispatchedArgs, freePort, launch, type Program, startHost } from '../helpers/program.ts';
import { frame, MAGIC, serve, readFrame, type RawConnection } from '../helpers/wire.ts';

const HELLO = Buffer.concat([MAGIC, Buffer.of(1, 0, 0, 0)]);
/** Delivered, client 1, a process id, 1970. */
const RECEIPT = frame(2, Buffer.of(1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0));
const EXIT = frame(5, Buffer.of(3));
const TIMEOUT = 1000;

// Windows has no SIGSTOP.
describe.skipIf(process.platform === 'win32')('a client that is stopped for longer than its deadline', () => {
  test('reports the receipt that has arrived meanwhile', async () => {
    const { port } = await serve([
      async (wire) => {
        await readLaunch(wire);
        await client.freeze();
        wire.write(RECEIPT);
        await resumeLate(client);
      },
    ]);
    const client = launch({ codec: 'json', options: { port, deliveryTimeout: TIMEOUT } }, 'a');
    expect(await client.exited()).toEqual({ code: 0, signal: null });
  });

  test('reports the result that has arrived meanwhile', async () => {
    const { port } = await serve([
      async (wire) => {
        await readLaunch(wire);
        wire.write(Buffer.concat([RECEIPT, frame(6, Buffer.from('{"event":"accepted"}\n'))]));
        await client.line('accepted');
        await client.freeze();
        wire.write(EXIT);
        await resumeLate(client);
      },
    ]);
    const client = launch({ codec: 'json', options: { port, wait: TIMEOUT } }, 'a');
    expect(await client.exited()).toEqual({ code: 3, signal: null });
  });

  test('still waits for a host that has not answered meanwhile', async () => {
    const { port } = await serve([
      async (wire) => {
        await readLaunch(wire);
        await client.freeze();
        await resumeLate(client);
        wire.write(RECEIPT);
      },
    ]);
    const client = launch({ codec: 'json', options: { port, deliveryTimeout: TIMEOUT } }, 'a');
    expect(await client.exited()).toEqual({ code: 0, signal: null });
  });
});

describe('a host that is blocked for longer than receiveTimeout', () => {
  test.each([TIMEOUT * 1.1, TIMEOUT * 3])(
    'dispatches 900 kB that have arrived meanwhile: %i ms',
    async (milliseconds) => {
      const options = { port: await freePort(), receiveTimeout: TIMEOUT };
      const host = await startHost(options, { steps: ['acquire', 'block'] });
      const client = await connect(options.port);
      // It has accepted the connection when it has a later launch.
      expect(await dispatchedArgs(host, options)).toEqual([]);
      host.writeLine(String(milliseconds));
      await host.line('blocking');
      client.end(`${'x'.repeat(900_000)}\0`);
      await host.line('args', ({ args }) => Array.isArray(args) && String(args[0]).length === 900_000);
      expect(host.all('warning')).toEqual([]);
    },
  );
});

async function readLaunch(wire: RawConnection): Promise<void> {
  const hello = await wire.read(12);
  await wire.read(hello.readUInt8(10) + hello.readUInt8(11));
  wire.write(HELLO);
  expect((await readFrame(wire)).kind).toBe(1);
}

/** When all of its deadline has passed. A stopped process emits nothing that could be awaited instead: it is time that is tested. */
async function resumeLate(client: Program): Promise<void> {
  await sleep(TIMEOUT * 1.5);
  client.signal('SIGCONT');
}
