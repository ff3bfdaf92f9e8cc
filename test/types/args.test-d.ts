import { expectTypeOf } from 'vitest';
import { z } from 'zod';
import { json } from '../../src/codecs/json.ts';
import { type Codec, legacy, Singleton, type SingletonOptions } from '../../src/index.ts';

interface Job {
  readonly file: string;
}
interface Report {
  readonly problems: number;
}
type Strings = readonly string[];
const args: Job = { file: 'a' };
const schema = z.object({ file: z.string(), line: z.number().default(1) });
type Parsed = { file: string; line: number };
declare const jobs: Codec<Job, Report>;
declare const flag: boolean;

// With client: false args is optional, and T and R are inferred as with args.
const acquireCodec = () => Singleton.acquire({ codec: jobs, client: false });
expectTypeOf<ReturnType<typeof acquireCodec>>().toEqualTypeOf<Promise<Singleton<Job, Report>>>();
const acquireSchema = () => Singleton.acquire({ codec: json<unknown, Report>(), schema, client: false });
expectTypeOf<ReturnType<typeof acquireSchema>>().toEqualTypeOf<Promise<Singleton<Parsed, Report>>>();
const acquireList = () => Singleton.acquire({ codec: [json<Job, Report>(), legacy()], client: false });
expectTypeOf<ReturnType<typeof acquireList>>().toEqualTypeOf<Promise<Singleton<Job | Strings, Report>>>();
const acquireListWithSchema = () => Singleton.acquire({ codec: [json(), legacy()], schema, client: false });
expectTypeOf<ReturnType<typeof acquireListWithSchema>>().toEqualTypeOf<Promise<Singleton<Parsed>>>();
const acquireStrings = () => Singleton.acquire({ client: false });
expectTypeOf<ReturnType<typeof acquireStrings>>().toEqualTypeOf<Promise<Singleton>>();
expectTypeOf(new Singleton({ codec: jobs, client: false })).toEqualTypeOf<Singleton<Job, Report>>();
expectTypeOf(new Singleton({ codec: json<unknown, Report>(), schema, client: false })).toEqualTypeOf<
  Singleton<Parsed, Report>
>();
new Singleton<Job | Strings, Report>({ codec: [json<Job, Report>(), legacy()], client: false });

// It may be given, and undefined is the same as absent.
void Singleton.acquire({ codec: jobs, client: false, args });
void Singleton.acquire({ codec: jobs, client: false, args: undefined });
void Singleton.acquire({ codec: jobs, client: flag, args });
void Singleton.acquire<Job, Report>({ codec: jobs, client: false, port: 1, strict: false });

// Without client: false it is needed.
// @ts-expect-error args is missing
void Singleton.acquire({ codec: jobs, client: true });
// @ts-expect-error args is missing
void Singleton.acquire({ codec: jobs, client: undefined });
// @ts-expect-error args is missing if client may be true
void Singleton.acquire({ codec: jobs, client: flag });
// @ts-expect-error args is missing
void Singleton.acquire({ codec: json(), schema });
// @ts-expect-error args is missing
void Singleton.acquire({ codec: json(), schema, client: true });
// @ts-expect-error args is missing
void Singleton.acquire({ codec: [json<Job>(), legacy()], client: true });
// @ts-expect-error args is missing
new Singleton({ codec: jobs, client: true });
// @ts-expect-error args is missing
new Singleton({ codec: json(), schema });
// @ts-expect-error args is missing
new Singleton<Job | Strings>({ codec: [json<Job>(), legacy()] });

// A host that dispatches its own launch needs them, too.
// @ts-expect-error args is missing
void Singleton.acquire({ codec: jobs, client: false, self: true });
// @ts-expect-error args is missing
void Singleton.acquire({ codec: json(), schema, client: false, self: true });
// @ts-expect-error args is missing
void Singleton.acquire({ codec: [json<Job>(), legacy()], client: false, self: true });
// @ts-expect-error args is missing
new Singleton({ codec: jobs, client: false, self: true });

// Singleton.send delivers arguments in any case.
// @ts-expect-error args is missing
void Singleton.send({ codec: jobs });
// @ts-expect-error client is an option of acquire
void Singleton.send({ codec: jobs, client: false });
// @ts-expect-error client is an option of acquire
void Singleton.send({ codec: [json<Job>(), legacy()], client: false });
// @ts-expect-error args is missing
void Singleton.send({ codec: json(), schema });

// What is wrong without client: false is wrong with it.
// @ts-expect-error args is not of the codec's type
void Singleton.acquire({ codec: jobs, client: false, args: { file: 1 } });
// @ts-expect-error args is not the input of the schema
void Singleton.acquire({ codec: json(), schema, client: false, args: { file: 1 } });
// @ts-expect-error args fits the second codec only
void Singleton.acquire({ codec: [json<Job>(), legacy()], client: false, args: ['a'] });
// @ts-expect-error args is not of the codec's type
new Singleton({ codec: jobs, client: false, args: { file: 1 } });
// @ts-expect-error codec is missing
void Singleton.acquire<Job>({ client: false });
// @ts-expect-error codec is missing
void Singleton.acquire({ schema, client: false });
// @ts-expect-error codec is missing
new Singleton<Job>({ client: false });
// @ts-expect-error the codec is called
void Singleton.acquire({ codec: json, client: false });
// @ts-expect-error a list has one codec or more
void Singleton.acquire({ codec: [], client: false });
// @ts-expect-error the codec is called
void Singleton.acquire({ codec: [json<Job>(), legacy], client: false });
// @ts-expect-error a schema is an object
void Singleton.acquire({ codec: json(), schema: 1, client: false });
// @ts-expect-error an option of the wrong type
void Singleton.acquire({ codec: jobs, client: false, port: '1' });
// @ts-expect-error an option that does not exist
void Singleton.acquire({ codec: jobs, client: false, prot: 1 });

// Options in a variable.
const options: SingletonOptions<Job, Report> = { codec: jobs, client: false };
void Singleton.acquire(options);
const wrapped = <T>(given: SingletonOptions<T>) => Singleton.acquire(given);
expectTypeOf(wrapped<Job>).returns.toEqualTypeOf<Promise<Singleton<Job>>>();
// @ts-expect-error args is missing
export const incomplete: SingletonOptions<Job, Report> = { codec: jobs };
