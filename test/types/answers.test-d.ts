import type { Writable } from 'node:stream';
import { expectTypeOf } from 'vitest';
import { z } from 'zod';
import { json } from '../../src/codecs/json.ts';
import { lengthPrefixed } from '../../src/codecs/length-prefixed.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import {
  Singleton,
  type Arrival,
  type Client,
  type ClientOutput,
  type Codec,
  type MultipleSingletonsError,
  type Receipt,
} from '../../src/index.ts';

interface Job {
  readonly file: string;
}
interface Opened {
  readonly opened: string;
}
const args: Job = { file: 'a' };
const jobs = {
  name: 'job',
  serialize: ({ file }: Job) => Buffer.from(file),
  deserialize: (bytes: Uint8Array) => ({ file: String(bytes) }),
};

// Replies: R is the codec's second type.
const replying = () => Singleton.acquire({ codec: msgpack<Job, Opened>(), args });
expectTypeOf<ReturnType<typeof replying>>().toEqualTypeOf<Promise<Singleton<Job, Opened>>>();
declare const host: Singleton<Job, Opened>;
host.on('args', ({ file }, client) => {
  expectTypeOf(client).toEqualTypeOf<Client<Opened>>();
  expectTypeOf(client.reply({ opened: file })).toEqualTypeOf<boolean>();
  // @ts-expect-error opened is a string
  client.reply({ opened: 1 });
  // @ts-expect-error a reply has a type
  client.reply('done');
  // @ts-expect-error a status is a number
  client.exit('1');
});
host.on('client', async (client) => void client.exit());
const sent = () => Singleton.send({ codec: json<Job, Opened>(), args, wait: true });
expectTypeOf<ReturnType<typeof sent>>().toEqualTypeOf<Promise<Receipt<Opened>>>();
expectTypeOf<Receipt<Opened>['reply']>().toEqualTypeOf<Opened | undefined>();
expectTypeOf<Receipt['exitCode']>().toEqualTypeOf<number | undefined>();
expectTypeOf<MultipleSingletonsError['receipt']>().toEqualTypeOf<Receipt>();

// With a schema, the codec alone defines R.
const repliesWithSchema = () =>
  Singleton.acquire({ codec: json<unknown, Opened>(), schema: z.array(z.string()), args: ['a'] });
expectTypeOf<ReturnType<typeof repliesWithSchema>>().toEqualTypeOf<Promise<Singleton<string[], Opened>>>();

// A host whose codec has no serializer for replies has none.
declare const mute: Singleton<Job, never>;
mute.on('args', (_, client) => {
  // @ts-expect-error nothing can be replied
  client.reply('done');
  client.exit(1);
});
// A host of any reply type is assignable to each.
expectTypeOf(host).toExtend<Singleton<Job>>();

// A serializer of its own for replies.
const both = lengthPrefixed({
  ...jobs,
  reply: {
    serialize: ({ opened }: Opened) => Buffer.from(opened),
    deserialize: (bytes) => ({ opened: String(bytes) }),
  },
});
expectTypeOf(both).toEqualTypeOf<Codec<Job, Opened>>();
// @ts-expect-error replies are deserialized too
lengthPrefixed({ ...jobs, reply: { serialize: ({ opened }: Opened) => Buffer.from(opened) } });

// Streams and time.
void Singleton.send({
  codec: json(),
  args,
  wait: 1000,
  stdout: process.stderr,
  stderr: process.stdout,
  stdin: process.stdin,
});
// @ts-expect-error a time is a number
void Singleton.send({ codec: json(), args, wait: '1s' });
declare const nowhere: Writable;
// @ts-expect-error stdin is read
void Singleton.send({ codec: json(), args, wait: true, stdin: nowhere });

// The client's terminal.
declare const client: Client;
expectTypeOf(client.stdout).toEqualTypeOf<ClientOutput>();
expectTypeOf(client.stderr).toEqualTypeOf<ClientOutput>();
expectTypeOf<ClientOutput>().toExtend<Writable>();
expectTypeOf(client.stdout.isTTY).toEqualTypeOf<true | undefined>();
expectTypeOf(client.stdout.columns).toEqualTypeOf<number | undefined>();
expectTypeOf(client.stdout.rows).toEqualTypeOf<number | undefined>();
expectTypeOf(client.stdout.getWindowSize()).toEqualTypeOf<[columns: number, rows: number]>();
expectTypeOf(client.stdout.getColorDepth()).toEqualTypeOf<number>();
expectTypeOf<Parameters<ClientOutput['hasColors']>>().toEqualTypeOf<[count?: number | undefined]>();
client.stdout.on('resize', () => {});
// @ts-expect-error the client decides
client.stdout.columns = 80;
// @ts-expect-error a count is a number
client.stdout.hasColors('16');

// Signals.
const forwardSignals: readonly NodeJS.Signals[] = ['SIGINT'];
void Singleton.send({ codec: json(), args, wait: true, forwardSignals });
// @ts-expect-error there is no such signal
void Singleton.send({ codec: json(), args, wait: true, forwardSignals: ['SIGFOO'] });
// @ts-expect-error a list of names
void Singleton.send({ codec: json(), args, wait: true, forwardSignals: 'SIGINT' });
client.on('signal', (signal) => expectTypeOf(signal).toEqualTypeOf<NodeJS.Signals>());
host.on('client', (each) => {
  expectTypeOf(each.on('signal', async () => {}).once('signal', () => {})).toEqualTypeOf<Client<Opened>>();
  expectTypeOf(each.off('signal', () => {})).toEqualTypeOf<Client<Opened>>();
});
// @ts-expect-error the only event is "signal"
client.on('abort', () => {});
// @ts-expect-error a listener gets the name of a signal
client.once('signal', (signal: number) => signal);

// Launches as an async iterable.
export async function loops(): Promise<void> {
  for await (const arrival of host) {
    expectTypeOf(arrival).toEqualTypeOf<Arrival<Job, Opened>>();
    expectTypeOf(arrival.args).toEqualTypeOf<Job>();
    arrival.client.reply({ opened: arrival.args.file });
  }
}
