import { isUint8Array } from '../../interface/bytes.ts';
import type { Codec } from '../../interface/codec.ts';
import { SingletonError } from '../../interface/errors.ts';
import type { ReadLaunch } from '../../interface/protocol.ts';
import type { Connection } from '../../interface/transport.ts';

/** What reads the launches of a host: one function for each protocol of its codecs, by `Protocol.firstByte`. */
export type Readers<T, R> = ReadonlyMap<number | undefined, ReadLaunch<T, R>>;

/**
 * Loads the code of each protocol.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`, or what a codec threw if it is a `SingletonError`
 */
export async function loadReaders<T, R>(codecs: readonly Codec<T, R>[]): Promise<Readers<T, R>> {
  const groups = new Map<number | undefined, [Codec<T, R>, ...Codec<T, R>[]]>();
  for (const codec of codecs) {
    const { firstByte } = codec.protocol;
    const group = groups.get(firstByte);
    if (group) group.push(codec);
    else groups.set(firstByte, [codec]);
  }
  const loaded = Array.from(groups, async ([firstByte, group]) => [firstByte, await load(group)] as const);
  return new Map(await Promise.all(loaded));
}

async function load<T, R>(codecs: readonly [Codec<T, R>, ...Codec<T, R>[]]): Promise<ReadLaunch<T, R>> {
  const [{ name, protocol }] = codecs;
  let cause: unknown;
  try {
    const readLaunch = await protocol.inbound(codecs);
    if (typeof readLaunch === 'function') return readLaunch;
  } catch (error) {
    if (error instanceof SingletonError) throw error;
    cause = error;
  }
  throw new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    `Option "codec": the codec "${name}" could not be loaded to read launches. The endpoint is free again.`,
    { cause },
  );
}

/**
 * Calls `onSelect` with what reads this connection: at once if the host has one protocol, else after the first byte. Calls `onEnd`
 * if there is none.
 */
export function selectReader<T, R>(
  readers: Readers<T, R>,
  connection: Connection,
  onSelect: (readLaunch: ReadLaunch<T, R>) => void,
  onEnd: () => void,
): void {
  const { value: first } = readers.values().next();
  if (first && readers.size === 1) return onSelect(first);
  const onReadable = (): void => {
    const chunk: unknown = connection.read();
    if (!isUint8Array(chunk)) return;
    connection.off('readable', onReadable).off('end', onEnd).unshift(chunk);
    // A protocol without a first byte of its own takes all others, and reports what is wrong with them.
    const reader = readers.get(chunk[0]) ?? readers.get(undefined) ?? first;
    if (reader) onSelect(reader);
  };
  connection.on('readable', onReadable).once('end', onEnd);
}
