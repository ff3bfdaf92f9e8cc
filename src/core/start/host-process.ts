import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { invalidOptionError, messageOf } from '../../interface/errors.ts';
import type { Start, StartOptions } from '../options/start.ts';

/** Characters of the end of stderr that an error has. */
const STDERR_END = 2000;

/** A process that is to become the host. It goes on when this one ends. */
export class HostProcess {
  readonly #child: ChildProcess;
  /** The file that has its stderr: with a pipe, it would fail to write once this process has ended. */
  readonly #log: string | undefined;
  /** The end of its stderr, if it was started by a function and that is a pipe. */
  #stderr = '';
  #end: string | undefined;
  #hasFailed = false;

  /** `log` receives the stderr of a command. @throws what the function or the system throws */
  constructor(start: Start, log: string) {
    if (typeof start === 'function') {
      this.#child = checkChild(start());
    } else {
      this.#log = log;
      this.#child = spawnDetached(start, log);
    }
    this.#child.on('error', this.#onError).on('exit', this.#onExit);
    this.#child.stderr?.setEncoding('utf8').on('data', this.#onStderr).on('error', ignore);
  }

  /** Why it cannot become the host. */
  get failure(): string | undefined {
    return this.#hasFailed ? this.state : undefined;
  }

  get state(): string {
    const end = this.#end ?? `it is still running as process ${this.#child.pid}`;
    const stderr = this.#stderrEnd;
    return stderr === '' ? end : `${end}, and its stderr ends with: ${stderr}`;
  }

  /** This process no longer waits for it. */
  detach(): void {
    this.#child.off('exit', this.#onExit);
    this.#child.stderr?.off('data', this.#onStderr);
    this.#child.unref();
  }

  readonly #onError = (error: Error): void => {
    this.#end ??= messageOf(error);
    this.#hasFailed = true;
  };

  readonly #onExit = (code: number | null, signal: NodeJS.Signals | null): void => {
    this.#end ??= `it ended with ${signal ?? `status ${code}`}`;
    // With status 0 it may have started the host as another process, or found one.
    this.#hasFailed ||= code !== 0;
  };

  readonly #onStderr = (text: string): void => {
    this.#stderr = `${this.#stderr}${text}`.slice(-STDERR_END);
  };

  get #stderrEnd(): string {
    try {
      return (this.#log === undefined ? this.#stderr : readFileSync(this.#log, 'utf8').slice(-STDERR_END)).trimEnd();
    } catch {
      return '';
    }
  }
}

function spawnDetached({ command, args = [], env, cwd }: StartOptions, log: string): ChildProcess {
  const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;
  const stderr = openSync(log, O_CREAT | O_NOFOLLOW | O_TRUNC | O_WRONLY, 0o600);
  try {
    return spawn(command, args, { env, cwd, detached: true, windowsHide: true, stdio: ['ignore', 'ignore', stderr] });
  } finally {
    closeSync(stderr);
  }
}

/** The function is a user's, and may return anything. */
function checkChild(child: ChildProcess): ChildProcess {
  const isChild = ['on', 'off', 'unref'].every((method) => typeof Object(child)[method] === 'function');
  if (isChild) return child;
  throw invalidOptionError('start', 'a function that returns a ChildProcess', child);
}

function ignore(): void {}
