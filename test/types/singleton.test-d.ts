import {
  legacy,
  MultipleSingletonsError,
  Singleton,
  SingletonError,
  tcp,
  type Client,
  type Codec,
  type Receipt,
  type ReleaseReason,
  type SingletonErrorCode,
  type SingletonOptions,
  type VerifyFailure,
} from '../../src/index.ts';
import { once } from 'node:events';
import { check, type Same } from './expect.ts';

interface Job {
  readonly file: string;
  readonly line?: number;
}
declare const jobs: Codec<Job>;
declare const app: Singleton;
declare const jobApp: Singleton<Job>;

// What T is.
check<Same<Awaited<ReturnType<typeof acquireDefault>>, Singleton<readonly string[]>>>();
const acquireDefault = () => Singleton.acquire();
check<Same<Awaited<ReturnType<typeof acquireWithArgs>>, Singleton<readonly string[]>>>();
const acquireWithArgs = () => Singleton.acquire({ port: 1, args: ['a'] });
check<Same<Awaited<ReturnType<typeof acquireLegacy>>, Singleton<readonly string[]>>>();
const acquireLegacy = () => Singleton.acquire({ codec: legacy() });
check<Same<Awaited<ReturnType<typeof acquireJobs>>, Singleton<Job>>>();
const acquireJobs = () => Singleton.acquire({ codec: jobs, args: { file: 'a' } });
const constructed = new Singleton({ codec: jobs, args: { file: 'a' } });
check<Same<typeof constructed, Singleton<Job>>>();
const plain = new Singleton();
check<Same<typeof plain, Singleton<readonly string[]>>>();
check<Same<Awaited<ReturnType<typeof plain.acquire>>, Singleton<readonly string[]>>>();
check<Same<ReturnType<typeof Singleton.send>, Promise<Receipt>>>();

// Explicit undefined means the default.
new Singleton({ address: undefined, port: undefined, transport: undefined, codec: undefined, args: undefined });
new Singleton({ client: undefined, strict: undefined, timeout: undefined, secret: undefined, signal: undefined });
new Singleton({ transport: tcp({ port: 1 }), secret: new Uint8Array(32), signal: AbortSignal.timeout(1) });

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
// @ts-expect-error the legacy codec carries strings
new Singleton({ args: [1] });
// @ts-expect-error no such option
new Singleton({ release_threshold: 1 });
// @ts-expect-error a hand-off has no thresholds
void Singleton.send({ releaseThreshold: 1 });

// Events, each with its arguments.
app.on('args', (args, client) => {
  check<Same<typeof args, readonly string[]>>();
  check<Same<typeof client, Client>>();
});
jobApp.once('args', (job) => check<Same<typeof job, Job>>());
app.on('client', (client) => check<Same<typeof client, Client>>());
app.on('release', (reason) => check<Same<typeof reason, ReleaseReason>>());
app.on('timeout', (...none) => check<Same<typeof none, []>>());
app.on('verifyFailed', (failure) => check<Same<typeof failure, VerifyFailure>>());
app.on('warning', (warning) => check<Same<typeof warning, SingletonError>>());
check<Same<ReleaseReason, 'manual' | 'timeout' | 'threshold' | 'aborted' | 'lost'>>();
check<Same<VerifyFailure['reason'], 'wrong-secret' | 'missing-secret'>>();
void once(app, 'args');
// @ts-expect-error there is no such event
app.on('error', () => {});
// @ts-expect-error args are strings
app.on('args', (args: readonly number[]) => args);
// @ts-expect-error release has a reason of a fixed set
app.emit('release', 'bored');

// Observers: what is stored fits what is taken.
app.trace((args, prefix: string, level: number) => [args, prefix, level], '> ', 2).untrace(() => {});
// @ts-expect-error the stored argument is missing
app.trace((args, prefix: string) => [args, prefix]);
// @ts-expect-error the stored argument is of another type
app.trace((args, prefix: string) => [args, prefix], 1);

// Properties.
check<Same<Singleton['arguments'], readonly (readonly string[])[]>>();
check<Same<Singleton<Job>['arguments'], readonly Job[]>>();
check<Same<Singleton['clients'], number>>();
check<Same<Singleton['listening'], boolean>>();
check<Same<Singleton['place'], string>>();
// @ts-expect-error the count is the host's
app.clients = 1;
check<Same<Parameters<Singleton['release']>, []>>();

// Disposal.
export async function disposes(): Promise<void> {
  await using disposed = await Singleton.acquire();
  using released = disposed;
  check<Same<typeof released, Singleton<readonly string[]>>>();
}

// Errors: one class, literal codes.
declare const multiple: MultipleSingletonsError;
check<Same<(typeof multiple)['code'], 'ERR_SINGLETON_ALREADY_RUNNING'>>();
check<Same<(typeof multiple)['receipt'], Receipt>>();
check<Same<Receipt['outcome'], 'delivered' | 'unconfirmed' | 'throttled' | 'released' | 'skipped'>>();
check<Same<SingletonError['code'], SingletonErrorCode>>();
check<
  Same<
    SingletonErrorCode,
    `ERR_SINGLETON_${
      | 'INVALID_OPTION'
      | 'ALREADY_RUNNING'
      | 'NO_HOST'
      | 'PLACE_UNAVAILABLE'
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
      | 'OBSERVER_FAILED'
      | 'CONNECTION_FAILED'
      | 'BUSY'
      | 'RELEASED'}`
  >
>();
// @ts-expect-error no such code
new SingletonError('ERR_OTHER', 'message');

// Options are one type that hovers as what it is.
const options: SingletonOptions = { port: 21337, timeout: 60_000 };
void Singleton.acquire(options);
