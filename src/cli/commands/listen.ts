import { once } from 'node:events';
import { Singleton } from '../../index.ts';
import { connectionOptions, oneOperand } from '../arguments.ts';
import { type Invocation, StatusError } from '../command.ts';
import { transportOf } from '../endpoint.ts';
import { BUSY_STATUS } from '../exit-status.ts';
import { hostCodecs, LaunchCommands, launchLine, refusalByCommand, reportFailures, schemaOf } from '../launch.ts';
import { printLine } from '../output.ts';

/** Commands of --reply at a time, as servers of this kind have by tradition. */
const CONCURRENCY = 40;

export async function run({ options, operands }: Invocation): Promise<number> {
  const transport = await transportOf(oneOperand(operands, 'ENDPOINT'));
  const { reply } = options;
  const app = new Singleton<unknown>({
    transport,
    codec: hostCodecs(options),
    schema: schemaOf(async (args) => (reply === undefined ? undefined : refusalByCommand(args))),
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
  const commands = new LaunchCommands();
  const print = async (line: string): Promise<void> => {
    try {
      await printLine(line);
    } catch (error) {
      fail(error);
      throw error;
    }
  };
  app.handle(
    (args, client) => (typeof reply === 'string' ? commands.run(reply, args, client) : print(launchLine(args, client))),
    { concurrency: CONCURRENCY },
  );
  if (!ended.signal.aborted) await once(ended.signal, 'abort');
  for (const signal of SIGNALS) process.off(signal, end);
  // A second signal ends the commands.
  await commands.drain(app);
  if (failure !== undefined) throw failure;
  return 0;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
