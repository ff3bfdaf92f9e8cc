import { once } from 'node:events';
import { Singleton } from '../../index.ts';
import { connectionOptions, oneOperand } from '../arguments.ts';
import { type Invocation, StatusError } from '../command.ts';
import { transportOf } from '../endpoint.ts';
import { BUSY_STATUS } from '../exit-status.ts';
import { endCommands, hostCodecs, launchLine, reportFailures, runForLaunch } from '../launch.ts';
import { printLine } from '../output.ts';

/** Commands of --reply at a time, as servers of this kind have by tradition. */
const CONCURRENCY = 40;

export async function run({ options, operands }: Invocation): Promise<number> {
  const transport = await transportOf(oneOperand(operands, 'ENDPOINT'));
  const { reply } = options;
  const app = new Singleton<unknown>({
    transport,
    codec: hostCodecs(options),
    args: [],
    client: false,
    strict: false,
    allowReplace: options['allow-stop'] === true,
    ...connectionOptions(options),
  });
  const ended = new AbortController();
  let failure: unknown;
  const fail = (error: unknown): void => {
    failure ??= error;
    ended.abort();
  };
  reportFailures(app, (cause) => cause === failure);
  app.once('release', (reason) =>
    reason === 'lost'
      ? fail(new StatusError(BUSY_STATUS, `Another process has taken ${app.endpoint}.`))
      : ended.abort(),
  );
  await app.acquire();
  const end = (): void => ended.abort();
  for (const signal of SIGNALS) process.once(signal, end);
  const handler = typeof reply === 'string' ? runForLaunch.bind(undefined, reply) : undefined;
  const print = async (line: string): Promise<void> => {
    try {
      await printLine(line);
    } catch (error) {
      fail(error);
      throw error;
    }
  };
  app.handle(handler ?? ((args, client) => print(launchLine(args, client))), { concurrency: CONCURRENCY });
  if (!ended.signal.aborted) await once(ended.signal, 'abort');
  // A second signal ends what this one waits for: a terminal does not send it to a process group of its own.
  for (const signal of SIGNALS) process.off(signal, end).once(signal, endCommands);
  await app.release({ drain: true });
  for (const signal of SIGNALS) process.off(signal, endCommands);
  if (failure !== undefined) throw failure;
  return 0;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
