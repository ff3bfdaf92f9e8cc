import { constants } from 'node:os';
import { Readable, Writable } from 'node:stream';
import type { VerifiedLaunch } from '../../interface/protocol.ts';
import type { Session } from '../../interface/session.ts';
import { invalidOptionError } from '../../interface/errors.ts';
import type { Client } from '../events.ts';
import type { Warnings } from './warnings.ts';

/** The public `client` of one launch. If the launch does not wait, output is discarded. */
export class HostClient<R> implements Client<R> {
  readonly number: number;
  readonly cwd: string | undefined;
  readonly pid: number | undefined;
  readonly remoteAddress: string | undefined;
  readonly codec: string;
  readonly version: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly #session: Session<R> | undefined;
  readonly #warnings: Pick<Warnings<unknown, R>, 'resultFailed'>;
  #signal: AbortSignal | undefined;
  #stdout: Writable | undefined;
  #stderr: Writable | undefined;
  #stdin: Readable | undefined;

  constructor(
    number: number,
    { codec, launch, session }: Pick<VerifiedLaunch<unknown, R>, 'codec' | 'launch' | 'session'>,
    remoteAddress: string | undefined,
    warnings: Pick<Warnings<unknown, R>, 'resultFailed'>,
  ) {
    this.number = number;
    this.cwd = launch.cwd;
    this.pid = launch.pid;
    this.codec = codec;
    this.version = launch.version;
    this.env = Object.freeze(launch.env ?? {});
    this.remoteAddress = remoteAddress;
    this.#session = session;
    this.#warnings = warnings;
    Object.freeze(this);
  }

  get waiting(): boolean {
    return this.#session !== undefined && !this.#session.isSettled;
  }

  /** Whether a client that waited has disconnected, or its session was aborted. */
  get hasGone(): boolean {
    return this.#session?.signal.aborted ?? false;
  }

  get signal(): AbortSignal {
    return this.#session?.signal ?? (this.#signal ??= new AbortController().signal);
  }

  get stdout(): Writable {
    return this.#session?.stdout ?? (this.#stdout ??= nullWritable());
  }

  get stderr(): Writable {
    return this.#session?.stderr ?? (this.#stderr ??= nullWritable());
  }

  get stdin(): Readable {
    return this.#session?.stdin ?? (this.#stdin ??= Readable.from([]));
  }

  reply(value: R): boolean {
    return this.#setResult((session) => session.reply(value));
  }

  exit(code: number | null = 0, signal?: NodeJS.Signals | null): boolean {
    return this.#setResult((session) => session.exit(exitStatus(code, signal)));
  }

  /** A mistake in one result must not end the host: it fails this launch. */
  #setResult(set: (session: Session<R>) => boolean): boolean {
    const session = this.#session;
    if (!session) return false;
    try {
      return set(session);
    } catch (error) {
      if (session.fail()) this.#warnings.resultFailed(this, error);
      return false;
    }
  }
}

/** As a shell has it: 128 and the number of the signal that ended a child process. */
function exitStatus(code: unknown, signal: NodeJS.Signals | null | undefined): number {
  if (code === null && signal && Object.hasOwn(constants.signals, signal)) return 128 + constants.signals[signal];
  if (typeof code === 'number' && Number.isInteger(code) && code >= 0 && code <= 255) return code;
  throw invalidOptionError('code', 'an integer from 0 to 255, or null and a signal', code);
}

function nullWritable(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() }).on('error', () => {});
}
