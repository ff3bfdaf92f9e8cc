import type { ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';
import { type Client, MultipleSingletonsError, Singleton, SingletonError } from '../../index.ts';
import { exitStatus, connectionOptions, milliseconds, oneOperand } from '../arguments.ts';
import { type Invocation, type Killed, StatusError, TAKES_NO_LAUNCHES, UsageError } from '../command.ts';
import { transportOf } from '../endpoint.ts';
import { BUSY_STATUS, statusOfError } from '../exit-status.ts';
import {
  hostCodecs,
  LaunchCommands,
  launchLine,
  refusalByCommand,
  reportFailures,
  schemaOf,
  writeLine,
} from '../launch.ts';
import { printError } from '../output.ts';
import { ended, isEnding, launchesOf, start } from '../run/child.ts';
import { Hold } from '../run/hold.ts';
import { forwardSignals } from '../run/signals.ts';

export async function run({ options, operands, command }: Invocation): Promise<number | Killed> {
  const [program, ...args] = command;
  if (program === undefined) throw new UsageError('COMMAND is missing: write it after "--".');
  const transport = await transportOf(oneOperand(operands, 'ENDPOINT'));
  const status = checkedStatus(options);
  const connection = connectionOptions(options);
  const hold = new Hold(transport, connection, options['wait'] !== undefined);
  const job = new Job(options);
  const app = new Singleton<unknown>({
    transport: hold.transport,
    signal: hold.signal,
    codec: hostCodecs(options, job.takesLaunches),
    schema: schemaOf((value) => job.refusalOf(value)),
    args,
    client: options['send'] === true,
    strict: false,
    standby: milliseconds('wait', options['wait']),
    ...connection,
  });
  reportFailures(app);
  try {
    await hold.acquire(app, options['send'] === true);
  } catch (error) {
    if (error instanceof MultipleSingletonsError) return status;
    const isInUse = error instanceof SingletonError && statusOfError(error) === BUSY_STATUS;
    throw isInUse && options['status'] !== undefined ? new StatusError(status, error.message, { cause: error }) : error;
  }
  app.once('release', (reason) => {
    if (reason === 'lost') printError(`Another process has taken ${app.endpoint}. The command goes on.`);
  });
  return job.run(app, [program, ...args], () => hold.descriptor);
}

/** Checks the options that depend on each other. Returns the status of a second one. */
function checkedStatus(options: Invocation['options']): number {
  if (options['wait'] !== undefined && options['send']) throw new UsageError('--wait and --send exclude each other.');
  if (options['timeout'] !== undefined && !options['send']) throw new UsageError('--timeout is only for --send.');
  if (options['on-launch'] === '') throw new UsageError('--on-launch expects a command, got "".');
  return exitStatus('status', options['status']);
}

/** The command of the one that holds the endpoint, and the launches for it. */
class Job {
  /** Whether launches are for the command or for that of --on-launch. */
  readonly takesLaunches: boolean;
  readonly #onLaunch: string | undefined;
  readonly #commands = new LaunchCommands();
  #child: ChildProcess | undefined;
  /** To descriptor 3 of the command. */
  #launches: Writable | undefined;

  constructor({ send, 'on-launch': onLaunch }: Invocation['options']) {
    this.#onLaunch = typeof onLaunch === 'string' ? onLaunch : undefined;
    this.takesLaunches = send === true || this.#onLaunch !== undefined;
  }

  /** Why a launch is refused. The host would confirm and lose one that the command does not read. */
  async refusalOf(args: unknown): Promise<string | undefined> {
    if (this.#onLaunch !== undefined) return refusalByCommand(args);
    if (this.#child && this.#launches?.writable !== true) await isEnding(this.#child);
    if (this.#child ? this.#launches?.writable : this.takesLaunches) return undefined;
    // One with legacy() does not learn it.
    if (this.takesLaunches) printError('A launch was refused: the command does not read descriptor 3.');
    return TAKES_NO_LAUNCHES;
  }

  /** Runs the command to its end, and releases the endpoint. */
  async run(
    app: Singleton<unknown>,
    command: readonly [string, ...string[]],
    descriptor: () => number | undefined,
  ): Promise<number | Killed> {
    // Before the command is started: a signal that came in between would end this process alone.
    const stopForwarding = forwardSignals((signal) => this.#child?.kill(signal));
    try {
      this.#child = start(command, this.takesLaunches && this.#onLaunch === undefined, descriptor());
      this.#launches = launchesOf(this.#child);
      app.handle((args, client) => this.#handle(args, client), { concurrency: 1 });
      return await ended(this.#child);
    } finally {
      if (this.#onLaunch === undefined) await app.release();
      else await this.#commands.drain(app);
      stopForwarding();
    }
  }

  async #handle(args: unknown, client: Client): Promise<void> {
    if (this.#onLaunch !== undefined) return this.#commands.run(this.#onLaunch, args, client);
    return writeLine(this.#launches, launchLine(args, client));
  }
}
