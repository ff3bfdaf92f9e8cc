import type { ChildProcess } from 'node:child_process';
import { expectTypeOf } from 'vitest';
import { z } from 'zod';
import { json } from '../../src/codecs/json.ts';
import {
  type Client,
  legacy,
  type Receipt,
  type SendOptions,
  Singleton,
  type SingletonOptions,
  type Start,
  type StartOptions,
} from '../../src/index.ts';

interface Job {
  readonly file: string;
}
interface Done {
  readonly isDone: boolean;
}
const codec = json<Job, Done>();
const args = { file: 'a' };

// The own launch has the types of all others, with or without wait, by a codec, a list and a schema.
const app = await Singleton.acquire({ codec, args, wait: true, self: true });
app.handle((job, client) => {
  expectTypeOf(job).toEqualTypeOf<Job>();
  expectTypeOf(client).toEqualTypeOf<Client<Done>>();
  expectTypeOf(client.self).toEqualTypeOf<boolean>();
  return { isDone: client.self };
});
expectTypeOf(await Singleton.acquire({ self: true })).toEqualTypeOf<Singleton>();
expectTypeOf(await Singleton.acquire({ codec: [codec, legacy()], args, self: true })).toEqualTypeOf<
  Singleton<Job | readonly string[], Done>
>();
const schema = z.object({ n: z.coerce.number<string>() });
const validated = await Singleton.acquire({ codec: json(), schema, args: { n: '1' }, wait: 1000, self: true });
validated.on('args', ({ n }) => expectTypeOf(n).toEqualTypeOf<number>());

// @ts-expect-error a structured codec has arguments, and with self they are dispatched
void Singleton.acquire({ codec, self: true });
// @ts-expect-error the arguments are those of the codec
void Singleton.acquire({ codec, args: ['a'], self: true });
// @ts-expect-error self is a boolean
void Singleton.acquire({ self: 'yes' });
// @ts-expect-error a launch that is only sent has no host of its own
void Singleton.send({ self: true });

// Standby: without a limit, or for a time.
expectTypeOf<SingletonOptions['standby']>().toEqualTypeOf<boolean | number | undefined>();
void Singleton.acquire({ standby: true, self: true });
void Singleton.acquire({ standby: 5000 });
// @ts-expect-error a time is a number of milliseconds
void Singleton.acquire({ standby: '5s' });
// @ts-expect-error a launch that is only sent does not wait for the endpoint
void Singleton.send({ standby: true });

// Start: a command, or a function that returns a process.
declare const start: StartOptions;
declare const startByFunction: () => ChildProcess;
expectTypeOf<SendOptions['start']>().toEqualTypeOf<Start | undefined>();
expectTypeOf(await Singleton.send({ codec, args, wait: true, start })).toEqualTypeOf<Receipt<Done>>();
expectTypeOf(await Singleton.send({ codec, args, start: startByFunction })).toEqualTypeOf<Receipt<Done>>();
expectTypeOf(await Singleton.send({ codec: [codec, legacy()], args, start })).toEqualTypeOf<Receipt<Done>>();
expectTypeOf(await Singleton.send({ codec, schema, args: { n: '1' }, start })).toEqualTypeOf<Receipt<Done>>();
void Singleton.send({ start: { command: process.execPath, args: ['daemon.js'], env: { A: '1' }, cwd: '/' } });

// @ts-expect-error a command is needed
void Singleton.send({ start: { args: ['daemon.js'] } });
// @ts-expect-error the function returns no process
void Singleton.send({ start: () => 'started' });
// @ts-expect-error a process that may become the host itself starts none
void Singleton.acquire({ start });
// @ts-expect-error a process that may become the host itself starts none
new Singleton({ start });
