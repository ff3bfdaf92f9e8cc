import type { ChildProcess } from 'node:child_process';
import { MultipleSingletonsError, type Schema, Singleton, SingletonError } from '../../index.ts';
import { exitStatus, connectionOptions, milliseconds, oneOperand } from '../arguments.ts';
import { type Invocation, type Killed, StatusError, TAKES_NO_LAUNCHES, UsageError } from '../command.ts';
import { transportOf } from '../endpoint.ts';
import { BUSY_STATUS, statusOfError } from '../exit-status.ts';
import { hostCodecs, launchLine, reportFailures, runForLaunch, writeLine } from '../launch.ts';
import { printError } from '../output.ts';
import { ended, forwardSignals, isEnding, launchesOf, start } from '../run/child.ts';
import { Hold } from '../run/hold.ts';

export async function run({ options, operands, command }: Invocation): Promise<number | Killed> {
  const [program, ...args] = command;
  if (program === undefined) throw new UsageError('COMMAND is missing: write it after "--".');
  const transport = await transportOf(oneOperand(operands, 'ENDPOINT'));
  const isSending = options['send'] === true;
  if (options['wait'] !== undefined && isSending) throw new UsageError('--wait and --send exclude each other.');
  const onLaunch = options['on-launch'];
  const status = exitStatus('status', options['status']);
  let takesLaunches = async (): Promise<boolean> => isSending || onLaunch !== undefined;
  const connection = connectionOptions(options);
  const hold = new Hold(transport, connection, options['wait'] !== undefined);
  const app = new Singleton<unknown>({
    transport: hold.transport,
    signal: hold.signal,
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
    ...connection,
  });
  reportFailures(app);
  try {
    await hold.acquire(app, isSending);
  } catch (error) {
    if (error instanceof MultipleSingletonsError) return status;
    const isInUse = error instanceof SingletonError && statusOfError(error) === BUSY_STATUS;
    throw isInUse && options['status'] !== undefined ? new StatusError(status, error.message, { cause: error }) : error;
  }
  app.once('release', (reason) => {
    if (reason === 'lost') printError(`Another process has taken ${app.endpoint}. The command goes on.`);
  });
  let child: ChildProcess | undefined;
  // Before the command is started: a signal that came in between would end this process alone.
  const stopForwarding = forwardSignals((signal) => child?.kill(signal));
  try {
    child = start([program, ...args], isSending && onLaunch === undefined, hold.descriptor);
    const started = child;
    const launches = launchesOf(started);
    if (onLaunch === undefined) takesLaunches = async () => launches?.writable === true || (await isEnding(started));
    app.handle(
      (launch, client) =>
        typeof onLaunch === 'string'
          ? runForLaunch(onLaunch, launch, client)
          : writeLine(launches, launchLine(launch, client)),
      { concurrency: 1 },
    );
    return await ended(started);
  } finally {
    stopForwarding();
    await app.release({ drain: onLaunch !== undefined });
  }
}

/** Refuses launches that the command does not read: the host would confirm and lose them. */
function schemaOf(takesLaunches: () => Promise<boolean>): Schema {
  const issues = [{ message: TAKES_NO_LAUNCHES }];
  const validate = async (value: unknown) => ((await takesLaunches()) ? { value } : { issues });
  return { '~standard': { version: 1, vendor: 'socket-singleton', validate } };
}
