import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { invalidOptionError, messageOf } from '../../interface/errors.ts';
import type { Start, StartOptions } from '../options/start.ts';

/** Bytes of the end of stderr that an error has. */
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
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) this.#onExit(exitCode, signalCode);
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
    this.#child.stderr?.off('data', this.#onStderr).resume();
    this.#child.unref();
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) unref(stream);
  }

  readonly #onError = (error: Error): void => {
    this.#end ??= `${messageOf(error)} (the command or its working directory may not exist)`;
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
      return printable(this.#log === undefined ? this.#stderr : readEnd(this.#log));
    } catch {
      return '';
    }
  }
}

/** The end of a file, which may be long. */
function readEnd(path: string): string {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const buffer = Buffer.alloc(STDERR_END);
    const length = readSync(file, buffer, 0, STDERR_END, Math.max(0, size - STDERR_END));
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(file);
  }
}

/** Without what a terminal would take for a command. */
function printable(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll(/[^\P{Cc}\n\t]/gu, '')
    .trimEnd();
}

/** A pipe keeps the process alive. The program may have replaced it by any stream. */
function unref(stream: object | null): void {
  if (stream && 'unref' in stream && typeof stream.unref === 'function') stream.unref();
}

function spawnDetached({ command, args = [], env, cwd }: StartOptions, log: string): ChildProcess {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;
  const stderr = openSync(log, O_APPEND | O_CREAT | O_NOFOLLOW | O_TRUNC | O_WRONLY, 0o600);
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
  // If it is a promise that rejects, that is not reported besides.
  Promise.resolve(child).catch(ignore);
  throw invalidOptionError('start', 'a function that returns a ChildProcess', child);
}

function ignore(): void {}
