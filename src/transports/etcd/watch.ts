import type { Watcher } from '../../interface/transport.ts';
import { clearTimeout, setTimeout } from '../../interface/timers.ts';
import { jitter } from '../lease/requests.ts';
import type { Gateway } from './gateway.ts';
import { fieldOf, toBase64 } from './json.ts';

/** Milliseconds until it connects again after a failure. Each further one doubles it. */
const FIRST_PAUSE = 250;
const MAX_PAUSE = 8000;

/** Milliseconds after which a watch is replaced: no end arrives from a member without power, or if a network drops packets. */
const MAX_AGE = 6000;

/**
 * One request whose answer does not end: etcd sends each change of the key. `revision`: the one that the caller has last read. So a
 * change before the watch has begun is not missed.
 */
export function watchKey(gateway: Gateway, key: string, revision: number | undefined, onChange: () => void): Watcher {
  let current = new AbortController();
  let isClosed = false;
  let pause = FIRST_PAUSE;
  let mayHaveMissed = revision === undefined;
  let timer: NodeJS.Timeout | undefined;

  const onMessage = (message: unknown): void => {
    const isCreated = fieldOf(message, 'result', 'created') === true;
    if (isCreated) {
      pause = FIRST_PAUSE;
      timer = setTimeout(() => current.abort(), jitter(MAX_AGE)).unref();
    }
    if ((isCreated && mayHaveMissed) || fieldOf(message, 'result', 'events') !== undefined) onChange();
  };
  const connect = async (): Promise<void> => {
    current = new AbortController();
    try {
      const since = mayHaveMissed ? {} : { start_revision: String(Number(revision) + 1) };
      const body = { create_request: { key: toBase64(key), ...since } };
      await gateway.stream('/v3/watch', body, current.signal, onMessage);
    } catch {
      // The requests of the caller report what is wrong.
    }
    clearTimeout(timer);
    if (isClosed) return;
    mayHaveMissed = true;
    if (current.signal.aborted) return void connect();
    timer = setTimeout(connect, pause).unref();
    pause = Math.min(2 * pause, MAX_PAUSE);
  };
  void connect();

  return {
    close() {
      isClosed = true;
      current.abort();
      clearTimeout(timer);
    },
  };
}
