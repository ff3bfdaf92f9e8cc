import { expectTypeOf } from 'vitest';
import { z } from 'zod';
import { json } from '../../src/codecs/json.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import { type Codec, type HostStatus, legacy, type Receipt, Singleton } from '../../src/index.ts';

interface Job {
  readonly file: string;
}
interface Report {
  readonly problems: number;
}
type Strings = readonly string[];
const args: Job = { file: 'a' };

// Listeners get the union, and reply with what fits each codec that has replies.
const acquireBoth = () => Singleton.acquire({ codec: [json<Job, Report>(), legacy()], args });
expectTypeOf<ReturnType<typeof acquireBoth>>().toEqualTypeOf<Promise<Singleton<Job | Strings, Report>>>();
const acquireReversed = () => Singleton.acquire({ codec: [legacy(), json<Job, Report>()], args: ['a'] });
expectTypeOf<ReturnType<typeof acquireReversed>>().toEqualTypeOf<Promise<Singleton<Strings | Job, Report>>>();
const acquireThree = () =>
  Singleton.acquire({ codec: [json<Job, Report>(), msgpack<number, { readonly ok: true }>(), legacy()], args });
type Three = Singleton<Job | number | Strings, Report & { readonly ok: true }>;
expectTypeOf<ReturnType<typeof acquireThree>>().toEqualTypeOf<Promise<Three>>();
const acquireOne = () => Singleton.acquire({ codec: [json<Job>()], args });
expectTypeOf<ReturnType<typeof acquireOne>>().toEqualTypeOf<Promise<Singleton<Job>>>();
void acquireThree().then((app) =>
  app.on('args', (given, client) => {
    expectTypeOf(given).toEqualTypeOf<Job | number | Strings>();
    expectTypeOf(client.codec).toEqualTypeOf<string>();
    client.reply({ problems: 1, ok: true });
    // @ts-expect-error a reply has to fit both codecs
    client.reply({ problems: 1 });
  }),
);

// `args` are those of the first codec, and needed unless it takes a list of strings.
void Singleton.acquire({ codec: [legacy(), json<Job>()] });
void Singleton.send({ codec: [json<Strings>(), legacy()] });
void Singleton.acquire({ codec: [legacy(), json<Job>()], args: ['a'], allowReplace: true, version: '1', timeout: 1 });
// @ts-expect-error args is missing
void Singleton.acquire({ codec: [json<Job>(), legacy()] });
// @ts-expect-error args fits the second codec only
void Singleton.acquire({ codec: [json<Job>(), legacy()], args: ['a'] });
// @ts-expect-error args fits the second codec only
void Singleton.acquire({ codec: [legacy(), json<Job>()], args });
// @ts-expect-error args has another type
void Singleton.acquire({ codec: [json<Job>(), legacy()], args: { file: 1 } });
// @ts-expect-error args has another type
void Singleton.send({ codec: [json<Job>(), legacy()], args: { file: 1 } });
// @ts-expect-error a property of args that the type of the codec does not have
void Singleton.send({ codec: [json<Job>(), legacy()], args: { file: 'a', line: 1 } });
// @ts-expect-error a list has one codec or more
void Singleton.acquire({ codec: [], args });
// @ts-expect-error the codec is called
void Singleton.acquire({ codec: [json<Job>(), legacy], args });
// @ts-expect-error an option that does not exist
void Singleton.acquire({ codec: [json<Job>(), legacy()], args, prot: 1 });
// @ts-expect-error an option of the wrong type
void Singleton.acquire({ codec: [json<Job>(), legacy()], args, port: '1' });

// `Singleton.send` with a list has the type of a reply, too.
const sendBoth = () => Singleton.send({ codec: [json<Job, Report>(), legacy()], args, wait: true });
expectTypeOf<ReturnType<typeof sendBoth>>().toEqualTypeOf<Promise<Receipt<Report>>>();
const sendLegacy = () => Singleton.send({ codec: [legacy(), json<Job, Report>()], args: ['a'] });
expectTypeOf<ReturnType<typeof sendLegacy>>().toEqualTypeOf<Promise<Receipt<Report>>>();
// @ts-expect-error replace is an option of acquire
void Singleton.send({ codec: [json<Job>(), legacy()], args, replace: true });

// A constructor with a list: the union is named, as TypeScript does not infer it.
expectTypeOf(new Singleton<Job | Strings>({ codec: [json<Job>(), legacy()], args })).toEqualTypeOf<
  Singleton<Job | Strings>
>();
const app = new Singleton<Job | Strings, Report>({ codec: [json<Job, Report>(), legacy()], args, port: 1 });
expectTypeOf(app).toEqualTypeOf<Singleton<Job | Strings, Report>>();
// @ts-expect-error args fits none of the codecs
new Singleton<Job | Strings>({ codec: [json<Job>(), legacy()], args: 7 });
// @ts-expect-error the union lacks the type of a codec
new Singleton<Job>({ codec: [json<Job>(), legacy()], args: { file: 1 } });

// Options in a variable.
const tuple = [json<Job, Report>(), legacy()] as const;
const acquireTuple = () => Singleton.acquire({ codec: tuple, args });
expectTypeOf<ReturnType<typeof acquireTuple>>().toEqualTypeOf<ReturnType<typeof acquireBoth>>();

// With a schema, which gets what each of the codecs delivers.
const schema = z.union([z.object({ file: z.string() }), z.array(z.string())]).transform(() => 1);
const acquireSchema = () => Singleton.acquire({ codec: [json(), legacy()], schema, args });
expectTypeOf<ReturnType<typeof acquireSchema>>().toEqualTypeOf<Promise<Singleton<number>>>();
void Singleton.send({ codec: [json(), legacy()], schema, args: ['a'] });
// @ts-expect-error args is not the input of the schema
void Singleton.acquire({ codec: [json(), legacy()], schema, args: { file: 1 } });
// @ts-expect-error args is not the input of the schema
void Singleton.send({ codec: [json(), legacy()], schema, args: 7 });

// The status, with any codec or list.
const status = () => Singleton.status();
expectTypeOf<ReturnType<typeof status>>().toEqualTypeOf<Promise<HostStatus | undefined>>();
void Singleton.status();
void Singleton.status({ port: 1, codec: [json<Job>(), legacy()], secret: 'a', name: 'b' });
declare const some: Codec<Job, Report>;
void Singleton.status({ codec: some });
// @ts-expect-error a status sends no arguments
void Singleton.status({ codec: some, args });

// Versions and replacement.
void Singleton.acquire({ codec: some, args, version: '1', replace: (host) => host.version !== '1' });
void Singleton.acquire({ codec: some, args, replace: ({ since }) => since !== undefined && since < new Date() });
// @ts-expect-error the decision is not a promise
void Singleton.acquire({ codec: some, args, replace: async () => true });
// @ts-expect-error a version is a string
void Singleton.acquire({ codec: some, args, version: 1 });

// A schema beside a list, also with `new`.
const parsed = new Singleton({
  codec: [json(), legacy()],
  schema: z.object({ file: z.string() }),
  args: { file: 'a' },
});
expectTypeOf(parsed).toEqualTypeOf<Singleton<{ file: string }>>();
