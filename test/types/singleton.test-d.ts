import {
  legacy,
  MultipleSingletonsError,
  Singleton,
  SingletonError,
  tcp,
  type Client,
  type Codec,
  type Receipt,
  type ReleaseOptions,
  type ReleaseReason,
  type SingletonErrorCode,
  type SingletonOptions,
  type VerifyFailure,
} from '../../src/index.ts';
import { once } from 'node:events';
import { expectTypeOf } from 'vitest';

interface Job {
  readonly file: string;
  readonly line?: number;
}
declare const jobs: Codec<Job>;
declare const app: Singleton;
declare const jobApp: Singleton<Job>;

// What T is.
expectTypeOf<Awaited<ReturnType<typeof acquireDefault>>>().toEqualTypeOf<Singleton>();
const acquireDefault = () => Singleton.acquire();
expectTypeOf<Awaited<ReturnType<typeof acquireWithArgs>>>().toEqualTypeOf<Singleton>();
const acquireWithArgs = () => Singleton.acquire({ port: 1, args: ['a'] });
expectTypeOf<Awaited<ReturnType<typeof acquireLegacy>>>().toEqualTypeOf<Singleton<readonly string[], never>>();
const acquireLegacy = () => Singleton.acquire({ codec: legacy() });
expectTypeOf<Awaited<ReturnType<typeof acquireJobs>>>().toEqualTypeOf<Singleton<Job>>();
const acquireJobs = () => Singleton.acquire({ codec: jobs, args: { file: 'a' } });
const constructed = new Singleton({ codec: jobs, args: { file: 'a' } });
expectTypeOf(constructed).toEqualTypeOf<Singleton<Job>>();
const plain = new Singleton();
expectTypeOf(plain).toEqualTypeOf<Singleton>();
expectTypeOf<Awaited<ReturnType<typeof plain.acquire>>>().toEqualTypeOf<Singleton>();
expectTypeOf<ReturnType<typeof Singleton.send>>().toEqualTypeOf<Promise<Receipt>>();

// Explicit undefined means the default.
new Singleton({ address: undefined, port: undefined, transport: undefined, codec: undefined, args: undefined });
new Singleton({ client: undefined, strict: undefined, timeout: undefined, secret: undefined, signal: undefined });
new Singleton({ transport: tcp({ port: 1 }), secret: new Uint8Array(32), signal: AbortSignal.timeout(1) });
new Singleton({ exitCode: undefined, secretFile: undefined });
new Singleton({ exitCode: 75, secretFile: 'secret' });
void Singleton.send({ secretFile: 'secret' });
void Singleton.status({ secretFile: 'secret' });

// Wrong options.
// @ts-expect-error args is not of the codec's type
void Singleton.acquire({ codec: jobs, args: { files: 'a' } });
// @ts-expect-error args is missing, and process.argv is no Job
void Singleton.acquire({ codec: jobs });
// @ts-expect-error args and codec are missing
new Singleton<Job>();
// @ts-expect-error args is missing
void Singleton.send({ codec: jobs });
// @ts-expect-error a port is a number
new Singleton({ port: '1337' });
// @ts-expect-error a status is a number
new Singleton({ exitCode: '75' });
// @ts-expect-error the file is a path
new Singleton({ secretFile: new URL('file:///secret') });
// @ts-expect-error the legacy codec carries strings
new Singleton({ args: [1] });
// @ts-expect-error no such option
new Singleton({ release_threshold: 1 });
// @ts-expect-error send() does not exit
void Singleton.send({ exitCode: 75 });
// @ts-expect-error send() has no thresholds
void Singleton.send({ releaseThreshold: 1 });

// Events, each with its arguments.
app.on('args', (args, client) => {
  expectTypeOf(args).toEqualTypeOf<readonly string[]>();
  expectTypeOf(client).toEqualTypeOf<Client>();
});
jobApp.once('args', (job) => expectTypeOf(job).toEqualTypeOf<Job>());
app.on('client', (client) => expectTypeOf(client).toEqualTypeOf<Client>());
app.on('release', (reason) => expectTypeOf(reason).toEqualTypeOf<ReleaseReason>());
app.on('timeout', (...none) => expectTypeOf(none).toEqualTypeOf<[]>());
app.on('verifyFailed', (failure) => expectTypeOf(failure).toEqualTypeOf<VerifyFailure>());
app.on('warning', (warning) => expectTypeOf(warning).toEqualTypeOf<SingletonError>());
expectTypeOf<ReleaseReason>().toEqualTypeOf<
  'manual' | 'timeout' | 'threshold' | 'aborted' | 'idle' | 'replaced' | 'lost'
>();
expectTypeOf<VerifyFailure['reason']>().toEqualTypeOf<
  'wrong-secret' | 'missing-secret' | 'unexpected-secret' | 'replayed-handshake'
>();
void once(app, 'args');
// @ts-expect-error no such event
app.on('error', () => {});
// @ts-expect-error args are strings
app.on('args', (args: readonly number[]) => args);
// @ts-expect-error release has a reason of a fixed set
app.emit('release', 'bored');

// Observers: the stored arguments match the parameters.
app.trace((args, prefix: string, level: number) => [args, prefix, level], '> ', 2).untrace(() => {});
// @ts-expect-error the stored argument is missing
app.trace((args, prefix: string) => [args, prefix]);
// @ts-expect-error the stored argument is of another type
app.trace((args, prefix: string) => [args, prefix], 1);

// Properties.
expectTypeOf<Singleton['arguments']>().toEqualTypeOf<readonly (readonly string[])[]>();
expectTypeOf<Singleton<Job>['arguments']>().toEqualTypeOf<readonly Job[]>();
expectTypeOf<Singleton['clients']>().toEqualTypeOf<number>();
expectTypeOf<Singleton['listening']>().toEqualTypeOf<boolean>();
expectTypeOf<Singleton['endpoint']>().toEqualTypeOf<string>();
// @ts-expect-error the count is the host's
app.clients = 1;
expectTypeOf<Parameters<Singleton['release']>>().toEqualTypeOf<[options?: ReleaseOptions | undefined]>();

// Disposal.
export async function disposes(): Promise<void> {
  await using disposed = await Singleton.acquire();
  using released = disposed;
  expectTypeOf(released).toEqualTypeOf<Singleton>();
}

// Errors: one class, literal codes.
declare const multiple: MultipleSingletonsError;
expectTypeOf<(typeof multiple)['code']>().toEqualTypeOf<'ERR_SINGLETON_ALREADY_RUNNING'>();
expectTypeOf<(typeof multiple)['receipt']>().toEqualTypeOf<Receipt>();
expectTypeOf<Receipt['outcome']>().toEqualTypeOf<'delivered' | 'unconfirmed' | 'throttled' | 'released' | 'skipped'>();
expectTypeOf<SingletonError['code']>().toEqualTypeOf<SingletonErrorCode>();
expectTypeOf<SingletonErrorCode>().toEqualTypeOf<`ERR_SINGLETON_${
  | 'INVALID_OPTION'
  | 'ALREADY_RUNNING'
  | 'NO_HOST'
  | 'START_FAILED'
  | 'ENDPOINT_UNAVAILABLE'
  | 'FOREIGN_HOST'
  | 'HOST_UNRESPONSIVE'
  | 'VERIFICATION_FAILED'
  | 'WRONG_APPLICATION'
  | 'UNSUPPORTED_VERSION'
  | 'INVALID_ARGS'
  | 'MESSAGE_TOO_LARGE'
  | 'MALFORMED_MESSAGE'
  | 'TRUNCATED_MESSAGE'
  | 'UNENCODABLE'
  | 'LISTENER_FAILED'
  | 'CONNECTION_FAILED'
  | 'BUSY'
  | 'REPLACE_REFUSED'
  | 'RELEASED'}`>();
// @ts-expect-error no such code
new SingletonError('ERR_OTHER', 'message');

// An editor shows the options as one type.
const options: SingletonOptions = { port: 21337, timeout: 60_000 };
void Singleton.acquire(options);
