import { PassThrough, Readable, type Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import { type Client, type SendOptions, Singleton } from '../../src/index.ts';
import { RemoteStdin } from '../../src/protocol/session/remote-stdio.ts';
import { StdinSender } from '../../src/protocol/session/stdin-sender.ts';
import { sessionSteps, inputChunks, inputCredits, type Step } from './arbitraries.ts';

const wires: readonly { readonly name: string; readonly shared: SendOptions }[] = [
  { name: 'json', shared: { codec: json() } },
  { name: 'msgpack with a secret', shared: { codec: msgpack(), secret: 'open sesame, open sesame' } },
];

describe.each(wires)('a session over $name', ({ shared }) => {
  let app: Singleton;
  let steps: readonly Step[] = [];

  beforeAll(async () => {
    app = new Singleton({ port: 0, args: [], ...shared });
    app.on('args', (_, client) => act(client, steps));
    await app.acquire();
  });

  afterAll(() => app.release());

  test('delivers the bytes of each stream in order before exactly one result, the first, for any order of writes', async () => {
    await fc.assert(
      fc.asyncProperty(sessionSteps(), async (chosen) => {
        steps = chosen;
        const [stdout, stderr] = [new PassThrough(), new PassThrough()];
        const arrived = Promise.all([buffer(stdout), buffer(stderr)]);
        const port = Number(new URL(app.endpoint).port);
        const stdin = Readable.from([]);
        const receipt = await Singleton.send({ port, args: ['a'], wait: true, stdout, stderr, stdin, ...shared });
        stdout.end();
        stderr.end();
        const first = chosen.findIndex(({ kind }) => kind === 'exit' || kind === 'reply');
        const before = first === -1 ? chosen : chosen.slice(0, first);
        const [out, err] = await arrived;
        // What is written after the result arrives, or does not.
        for (const [on, bytes] of [
          ['stdout', out],
          ['stderr', err],
        ] as const) {
          expect(startsWith(bytes, written(on, before))).toBe(true);
          expect(startsWith(written(on, chosen), bytes)).toBe(true);
        }
        const last = chosen[first];
        expect(receipt.exitCode).toBe(last?.kind === 'exit' ? last.code : 0);
        expect(receipt.reply).toEqual(last?.kind === 'reply' ? last.value : undefined);
      }),
      { numRuns: 60 },
    );
  });
});

function written(on: string, steps: readonly Step[]): Buffer {
  return Buffer.concat(steps.flatMap((step) => ('bytes' in step && step.kind === on ? step.bytes : [])));
}

function startsWith(bytes: Buffer, start: Buffer): boolean {
  return bytes.subarray(0, start.length).equals(start);
}

async function act(client: Client, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    if (step.kind === 'turn') await turn();
    else if (step.kind === 'exit') client.exit(step.code);
    else if (step.kind === 'reply') client.reply(step.value);
    else write(client[step.kind], step.bytes);
  }
}

function write(output: Writable, bytes: Uint8Array): void {
  if (output.writable) output.write(bytes);
}

describe('StdinSender', () => {
  test('sends all input and one end, however it is split and whenever credit is granted', async () => {
    await fc.assert(
      fc.asyncProperty(inputChunks(), inputCredits(), async (chunks, credits) => {
        const sent: Uint8Array[] = [];
        const source = Readable.from(chunks, { objectMode: true });
        const sender = new StdinSender(
          () => source,
          (bytes, done) => {
            sent.push(bytes);
            if (sent.length % 2 === 0) done();
            else setImmediate(done);
          },
          (error) => expect.unreachable(error.message),
        );
        let allowed = 0;
        for (const credit of credits) {
          sender.grant(credit);
          allowed += credit;
          await turn();
          expect(sent.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(allowed);
        }
        sender.grant(2 ** 20);
        while (sent.at(-1)?.length !== 0) await turn();
        await turn();
        expect(Buffer.concat(sent).equals(Buffer.concat(chunks))).toBe(true);
        expect(sent.filter(({ length }) => length === 0)).toHaveLength(1);
      }),
    );
  });
});

describe('RemoteStdin', () => {
  test('returns the bytes that were sent, and buffers no more than it requested', async () => {
    await fc.assert(
      fc.asyncProperty(inputChunks(), async (chunks) => {
        let requested = 0;
        const input = new RemoteStdin(
          (bytes) => (requested += bytes),
          () => {},
        );
        const read = buffer(input);
        for (const chunk of chunks.filter(({ length }) => length > 0)) {
          while (requested < chunk.length) await turn();
          requested -= chunk.length;
          input.receive(chunk);
          expect(requested + input.readableLength).toBeLessThanOrEqual(262_144);
        }
        input.receive(new Uint8Array());
        expect((await read).equals(Buffer.concat(chunks))).toBe(true);
      }),
    );
  });
});
