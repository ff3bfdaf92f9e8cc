import { type Codec, legacy, type Receipt, Singleton, SingletonError } from '../../index.ts';
import { connectionOptions, milliseconds } from '../arguments.ts';
import { type Invocation, UsageError } from '../command.ts';
import { transportOf } from '../endpoint.ts';
import { printLine } from '../output.ts';

export async function run({ options, operands }: Invocation): Promise<number> {
  const wait = milliseconds('wait', options['wait']);
  // One time for the delivery and the result together: the library has one for each.
  const signal = typeof wait === 'number' ? AbortSignal.timeout(wait) : undefined;
  const args = argsOf(options['json'], operands.slice(0, -1));
  const given = { wait: wait !== undefined, signal, args, ...connectionOptions(options) };
  const transport = await transportOf(operands.at(-1));
  const names = codecsOf(options, transport.endpoint);
  const deliver = async (name: string): Promise<Receipt> =>
    Singleton.send({ transport, codec: await codecOf(name), ...given });
  try {
    const { reply, exitCode = 0 } = await deliverByOne(names, deliver);
    if (reply !== undefined) await printLine(typeof reply === 'string' ? reply : JSON.stringify(reply, toJson));
    return exitCode;
  } catch (error) {
    throw signal?.aborted && Object(error).cause === signal.reason ? noResultError(transport.endpoint, options) : error;
  } finally {
    // A terminal or a pipe that is still open would keep this process.
    if (wait !== undefined) process.stdin.destroy();
  }
}

function noResultError(endpoint: string, { wait }: Invocation['options']): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_HOST_UNRESPONSIVE',
    `There was no result of the host at ${endpoint} within ${wait} s (--wait). The launch may have run, or may still be running.`,
  );
}

/**
 * The codecs to try, in this order. Only structured ones prove a secret without sending it, have a name and results, and report that
 * a launch was refused. But a Python host is at a port, and does not answer them.
 */
function codecsOf({ codec, wait, json, 'secret-file': secretFile, name }: Invocation['options'], endpoint: string) {
  if (codec !== undefined) return [String(codec)];
  const needsStructure = [wait, json, secretFile, name].some((option) => option !== undefined);
  if (needsStructure) return ['json'];
  return endpoint.startsWith('tcp:') ? ['legacy', 'json'] : ['json', 'legacy'];
}

/** Nothing was dispatched by a host that has another codec. */
async function deliverByOne(
  [first = '', ...others]: readonly string[],
  deliver: (codec: string) => Promise<Receipt>,
): Promise<Receipt> {
  try {
    return await deliver(first);
  } catch (error) {
    const isOther = error instanceof SingletonError && error.code === 'ERR_SINGLETON_UNSUPPORTED_VERSION';
    if (!isOther || others.length === 0) throw error;
    return deliverByOne(others, deliver);
  }
}

function argsOf(json: string | true | undefined, operands: readonly string[]): unknown {
  if (json === undefined) return operands;
  if (operands.length > 0) throw new UsageError('--json and ARG... exclude each other.');
  requireSafeIntegers(String(json));
  try {
    return JSON.parse(String(json));
  } catch (error) {
    throw new UsageError(`--json expects a JSON value: ${Object(error).message}.`);
  }
}

/** JSON.parse would change a larger one. Numbers in strings are none. */
function requireSafeIntegers(json: string): void {
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/gs)) {
    if (/^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token)))
      throw new UsageError(`--json: ${token} is beyond 2^53-1 and would be changed. Write it as a string.`);
  }
}

/** Each is loaded only if it is used. `any`: legacy() has lists of strings, which its check enforces. */
async function codecOf(name: string): Promise<Codec<any>> {
  if (name === 'legacy') return legacy();
  if (name === 'json') return (await import('../../codecs/json.ts')).json();
  if (name === 'msgpack') return (await import('../../codecs/msgpack.ts')).msgpack();
  throw new UsageError(`--codec expects legacy, json or msgpack, got "${name}".`);
}

/** What msgpack() has and JSON does not: large integers as strings, bytes as base64. */
function toJson(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}
