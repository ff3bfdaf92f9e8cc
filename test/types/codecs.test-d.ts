import { type } from 'arktype';
import { decode, encode } from 'cborg';
import * as v from 'valibot';
import { expectTypeOf } from 'vitest';
import { z } from 'zod';
import { json } from '../../src/codecs/json.ts';
import { lengthPrefixed, type LengthPrefixedOptions } from '../../src/codecs/length-prefixed.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import { legacy, Singleton, type Codec, type Receipt, type Schema } from '../../src/index.ts';
import type { ReadLaunch } from '../../src/interface/protocol.ts';

interface Job {
  readonly file: string;
  readonly line?: number;
}

// What T is, without a schema: the codec's.
expectTypeOf(json<Job>()).toEqualTypeOf<Codec<Job>>();
expectTypeOf(msgpack<Job>()).toEqualTypeOf<Codec<Job>>();
expectTypeOf(json()).toEqualTypeOf<Codec<unknown>>();
expectTypeOf(msgpack()).toEqualTypeOf<Codec<unknown>>();
const args: Job = { file: 'a' };
const acquireJson = () => Singleton.acquire({ codec: json<Job>(), args });
expectTypeOf<ReturnType<typeof acquireJson>>().toEqualTypeOf<Promise<Singleton<Job>>>();
const acquireMsgpack = () => Singleton.acquire({ codec: msgpack<Job>(), args: { file: 'a', line: 1 } });
expectTypeOf<ReturnType<typeof acquireMsgpack>>().toEqualTypeOf<Promise<Singleton<Job>>>();
expectTypeOf(new Singleton({ codec: json<Job>(), args })).toEqualTypeOf<Singleton<Job>>();
expectTypeOf(new Singleton({ codec: json<string>(), args: '' })).toEqualTypeOf<Singleton<string>>();
expectTypeOf(new Singleton({ codec: json<string[]>(), args: ['a'] })).toEqualTypeOf<Singleton<string[]>>();
expectTypeOf(new Singleton<Job>({ codec: json(), args })).toEqualTypeOf<Singleton<Job>>();
const sendJson = () => Singleton.send({ codec: json<Job>(), args });
expectTypeOf<ReturnType<typeof sendJson>>().toEqualTypeOf<Promise<Receipt>>();

// A list of strings needs no args, in any codec.
expectTypeOf(new Singleton({ codec: json<readonly string[]>() })).toEqualTypeOf<Singleton>();
void Singleton.send({ codec: msgpack<readonly string[]>() });

// @ts-expect-error args is missing
new Singleton({ codec: json<Job>() });
// @ts-expect-error args is missing
void Singleton.acquire({ codec: msgpack<Job>() });
// @ts-expect-error args is missing
void Singleton.send({ codec: json<Job>() });
// @ts-expect-error args is not of the codec's type
new Singleton({ codec: json<Job>(), args: { file: 1 } });
// @ts-expect-error args is not of the codec's type
void Singleton.acquire({ codec: msgpack<Job>(), args: ['a'] });
// @ts-expect-error args has a property that is not in the type of the codec
void Singleton.send({ codec: json<Job>(), args: { file: 'a', lines: 1 } });
// @ts-expect-error the type of args is not T: the legacy codec carries strings
void Singleton.send({ args: { file: 'a' } });
// @ts-expect-error without args the command line is sent, which is not a T
void Singleton.send({ codec: json<Job | undefined>(), args: undefined });
// @ts-expect-error the codec is missing
new Singleton<Job>({ args });
// @ts-expect-error the codec is called
new Singleton({ codec: json, args });

// A codec of the user's serializer.
const serializer: LengthPrefixedOptions<Job, never> = {
  name: 'job',
  serialize: ({ file }) => Buffer.from(file),
  deserialize: (bytes) => ({ file: String(bytes) }),
};
expectTypeOf(lengthPrefixed(serializer)).toEqualTypeOf<Codec<Job, never>>();
expectTypeOf(
  lengthPrefixed<Job>({ name: 'cbor', serialize: encode, deserialize: (bytes) => decode(bytes) }),
).toEqualTypeOf<Codec<Job, never>>();
const texts = lengthPrefixed({ name: 'a', serialize: (a: string) => Buffer.from(a), deserialize: (b) => String(b) });
expectTypeOf(texts).toEqualTypeOf<Codec<string, never>>();
expectTypeOf(new Singleton({ codec: lengthPrefixed(serializer), args })).toEqualTypeOf<Singleton<Job, never>>();
expectTypeOf(texts.protocol.inbound([texts])).toEqualTypeOf<Promise<ReadLaunch<string, never>>>();
lengthPrefixed({ ...serializer, load: () => Promise.resolve() });
lengthPrefixed({ ...serializer, load: () => Promise.resolve('what was loaded') });
// @ts-expect-error load is waited for
lengthPrefixed({ ...serializer, load: () => {} });
// @ts-expect-error deserialize is missing
lengthPrefixed({ name: 'a', serialize: (a: string) => Buffer.from(a) });
// @ts-expect-error bytes are a Uint8Array
lengthPrefixed<string>({ name: 'a', serialize: (a) => a, deserialize: String });
// @ts-expect-error deserialize returns another type than serialize accepts
lengthPrefixed<string>({ name: 'a', serialize: (a) => Buffer.from(a), deserialize: (bytes) => bytes });
// @ts-expect-error the name is missing
lengthPrefixed<string>({ serialize: (a) => Buffer.from(a), deserialize: String });

// Schemas: args has their input type, listeners receive their output type.
interface Parsed {
  file: number;
  line: number;
}
const length = (text: string): number => text.length;
const zod = z.object({ file: z.string().transform(length), line: z.number().default(1) });
const valibot = v.object({ file: v.pipe(v.string(), v.transform(length)), line: v.optional(v.number(), 1) });
const arktype = type({ file: type('string').pipe(length), line: 'number = 1' });
const codec = json();

const acquireZod = () => Singleton.acquire({ codec, schema: zod, args: { file: 'a' } });
expectTypeOf<ReturnType<typeof acquireZod>>().toEqualTypeOf<Promise<Singleton<Parsed>>>();
const acquireValibot = () => Singleton.acquire({ codec, schema: valibot, args: { file: 'a', line: 1 } });
expectTypeOf<ReturnType<typeof acquireValibot>>().toEqualTypeOf<Promise<Singleton<Parsed>>>();
const acquireArktype = () => Singleton.acquire({ codec, schema: arktype, args: { file: 'a' } });
expectTypeOf<ReturnType<typeof acquireArktype>>().toEqualTypeOf<Promise<Singleton<Parsed>>>();
expectTypeOf(new Singleton({ codec, schema: zod, args: { file: 'a' } })).toEqualTypeOf<Singleton<Parsed>>();
expectTypeOf(new Singleton({ codec, schema: valibot, args: { file: 'a' } })).toEqualTypeOf<Singleton<Parsed>>();
expectTypeOf(new Singleton({ codec, schema: arktype, args: { file: 'a' } })).toEqualTypeOf<Singleton<Parsed>>();
const sendZod = () => Singleton.send({ codec, schema: zod, args: { file: 'a' } });
expectTypeOf<ReturnType<typeof sendZod>>().toEqualTypeOf<Promise<Receipt>>();
void Singleton.send({ codec: msgpack(), schema: valibot, args: { file: 'a', line: 1 } });
void Singleton.send({ codec: msgpack(), schema: arktype, args: { file: 'a' } });

// Listeners, observers and queued launches have the output type.
declare const parsed: Singleton<Parsed>;
parsed.on('args', (given) => expectTypeOf(given).toEqualTypeOf<Parsed>());
parsed.trace((given) => expectTypeOf(given.file).toEqualTypeOf<number>());
expectTypeOf(parsed.arguments).toEqualTypeOf<readonly Parsed[]>();
void acquireZod().then((app) => app.on('args', ({ file, line }) => expectTypeOf(file).toEqualTypeOf(line)));

// With other codecs: the schema alone defines the types, and receives what the codec delivers.
const words = z.array(z.string()).transform((list) => list.length);
const acquireWords = () => Singleton.acquire({ codec: legacy(), schema: words, args: ['a'] });
expectTypeOf<ReturnType<typeof acquireWords>>().toEqualTypeOf<Promise<Singleton<number, never>>>();
const same = z.array(z.string());
const acquireSame = () => Singleton.acquire({ codec: legacy(), schema: same, args: ['a'] });
expectTypeOf<ReturnType<typeof acquireSame>>().toEqualTypeOf<Promise<Singleton<string[], never>>>();

// A schema of the specification alone.
declare const whatever: Schema;
declare const own: Schema<Job, string>;
const acquireAny = () => Singleton.acquire({ codec, schema: whatever, args: Symbol('a') });
expectTypeOf<ReturnType<typeof acquireAny>>().toEqualTypeOf<Promise<Singleton<unknown>>>();
const acquireOwn = () => Singleton.acquire({ codec, schema: own, args });
expectTypeOf<ReturnType<typeof acquireOwn>>().toEqualTypeOf<Promise<Singleton<string>>>();

// @ts-expect-error args is the schema's output, not its input
void Singleton.acquire({ codec, schema: zod, args: { file: 1, line: 1 } });
// @ts-expect-error args is not the input of the schema
void Singleton.send({ codec, schema: valibot, args: { line: 1 } });
// @ts-expect-error args is not the input of the schema
void Singleton.send({ codec, schema: arktype, args: { file: 'a', line: '1' } });
// @ts-expect-error args is missing
void Singleton.acquire({ codec, schema: zod });
// @ts-expect-error the codec is missing: with a schema, none is the default
void Singleton.acquire({ schema: zod, args: { file: 'a' } });
// @ts-expect-error this is no schema
void Singleton.acquire({ codec, schema: { parse: length }, args: { file: 'a' } });
// @ts-expect-error listeners receive the schema's output
parsed.on('args', (given: { file: string }) => given);

// Options in a variable, which is not checked for excess properties.
const options = { codec: json<{ file: string }>(), schema: zod, args: { file: 'a' } };
const acquireVariable = () => Singleton.acquire(options);
expectTypeOf<ReturnType<typeof acquireVariable>>().toEqualTypeOf<ReturnType<typeof acquireZod>>();
expectTypeOf(new Singleton(options)).toEqualTypeOf<Awaited<ReturnType<typeof acquireZod>>>();
const wrong = { codec: json(), schema: zod, args: 7 };
// @ts-expect-error args is not the input of the schema
void Singleton.send(wrong);
// @ts-expect-error args is not the input of the schema
void Singleton.acquire(wrong);
