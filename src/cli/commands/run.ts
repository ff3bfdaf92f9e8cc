import {
  type Listener,
  MultipleSingletonsError,
  type Schema,
  Singleton,
  SingletonError,
  type Transport,
} from '../../index.ts';
import { exitStatus, identityOf, milliseconds, oneOperand } from '../arguments.ts';
import { ended, forwardSignals, isEnding, launchesOf, start } from '../child.ts';
import { type Invocation, type Killed, UsageError } from '../command.ts';
import { transportOf } from '../endpoint.ts';
import { BUSY_STATUS, statusOfError } from '../exit-status.ts';
import { hostCodecs, launchLine, reportFailures, runForLaunch, writeLine } from '../launch.ts';
import { printError } from '../output.ts';

export async function run({ options, operands, command }: Invocation): Promise<number | Killed> {
  const [program, ...args] = command;
  if (program === undefined) throw new UsageError('COMMAND is missing: write it after "--".');
  const transport = await transportOf(oneOperand(operands, 'ENDPOINT'));
  const isSending = options['send'] === true;
  if (options['wait'] !== undefined && isSending) throw new UsageError('--wait and --send exclude each other.');
  const onLaunch = options['on-launch'];
  const status = exitStatus('status', options['status']);
  let takesLaunches = async (): Promise<boolean> => isSending || onLaunch !== undefined;
  const held = withDescriptor(transport);
  const app = new Singleton<unknown>({
    transport: held.transport,
    codec: hostCodecs(options, isSending || onLaunch !== undefined),
    schema: schemaOf(async () => {
      const isTaken = await takesLaunches();
      // One with legacy() does not learn it.
      if (!isTaken && isSending) printError('A launch was refused: the command does not read descriptor 3.');
      return isTaken;
    }),
    args,
    client: isSending,
    strict: false,
    standby: milliseconds('wait', options['wait']),
    ...identityOf(options),
  });
  reportFailures(app);
  try {
    await app.acquire();
  } catch (error) {
    const isInUse = error instanceof SingletonError && statusOfError(error) === BUSY_STATUS;
    if (error instanceof MultipleSingletonsError || (isInUse && options['status'] !== undefined)) return status;
    throw error;
  }
  app.once('release', (reason) => {
    if (reason === 'lost') printError(`Another process has taken ${app.endpoint}. The command goes on.`);
  });
  try {
    const child = start([program, ...args], isSending && onLaunch === undefined, held.descriptor());
    const launches = launchesOf(child);
    if (onLaunch === undefined) takesLaunches = async () => launches?.writable === true || (await isEnding(child));
    app.handle(
      (launch, client) =>
        typeof onLaunch === 'string'
          ? runForLaunch(onLaunch, launch, client)
          : writeLine(launches, launchLine(launch, client)),
      { concurrency: 1 },
    );
    const stopForwarding = forwardSignals(child);
    return await ended(child).finally(stopForwarding);
  } finally {
    await app.release({ drain: onLaunch !== undefined });
  }
}

/** Refuses launches that the command does not read: the host would confirm and lose them. */
function schemaOf(takesLaunches: () => Promise<boolean>): Schema {
  const issues = [{ message: 'the command that runs there takes no launches' }];
  const validate = async (value: unknown) => ((await takesLaunches()) ? { value } : { issues });
  return { '~standard': { version: 1, vendor: 'socket-singleton', validate } };
}

/** The transport, and the descriptor of its socket once it listens. */
function withDescriptor(transport: Transport): { transport: Transport; descriptor: () => number | undefined } {
  let listener: Listener | undefined;
  return {
    descriptor: () => listener?.descriptor,
    transport: {
      ...transport,
      async listen(onConnection, options) {
        listener = await transport.listen(onConnection, options);
        return listener;
      },
    },
  };
}
