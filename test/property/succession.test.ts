import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, test, vi } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import { type SendOptions, Singleton } from '../../src/index.ts';
import { memory } from '../../src/transports/memory.ts';
import { type Action, type Rules, successionRules, successions } from './arbitraries.ts';
import { Processes } from './processes.ts';

interface Wire {
  readonly name: string;
  /** The options that host and client share. */
  readonly shared: SendOptions;
  readonly numRuns: number;
}

const wires: readonly Wire[] = [
  { name: 'legacy', shared: {}, numRuns: 150 },
  { name: 'json', shared: { codec: json() }, numRuns: 200 },
  { name: 'msgpack with a secret', shared: { codec: msgpack(), secret: 'open sesame, open sesame' }, numRuns: 80 },
];

/** What has failed once. */
const examples = (): [fc.Scheduler, Rules, Action[]][] => [
  // The end of a client arrived after bytes that were lost, so that the client took the end of the host for success.
  [
    schedulerOf(1),
    { concurrency: 0, idleTimeout: 0, maxPending: 1024, turns: 16, jitter: [0.5] },
    [
      { do: 'cut', afterBytes: 0 },
      { do: 'acquire', wait: false, self: false },
    ],
  ],
];

/** A scheduler that does not depend on how many steps there are, as that of `fc.schedulerFor` does. */
function schedulerOf(seed: number): fc.Scheduler {
  const [scheduler] = fc.sample(fc.scheduler(), { seed, numRuns: 1 });
  if (!scheduler) throw new Error('fc.sample() returned nothing');
  return scheduler;
}

describe('several programs at one endpoint', () => {
  // Loads the code of hosts and launches: in a run, time would expire meanwhile.
  beforeAll(async () => {
    for (const { shared } of wires) {
      const transport = memory().transport('a');
      const host = new Singleton({ ...shared, transport, args: [], self: true });
      host.handle(() => {});
      await host.acquire();
      await Singleton.send({ ...shared, transport, args: [], wait: shared.codec !== undefined });
      await host.release();
    }
  });
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    // A host whose own launch fails sets it.
    process.exitCode = undefined;
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  test.each(wires)(
    'have one host at a time, lose no launch and run none twice, for any succession, over $name',
    async ({ shared, numRuns }) => {
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), successionRules(), successions(), async (scheduler, rules, actions) => {
          const processes = new Processes(scheduler, shared, rules);
          try {
            await processes.run(actions);
          } finally {
            processes.dispose();
          }
        }),
        { numRuns, examples: examples() },
      );
    },
  );
});
