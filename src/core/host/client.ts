import { Readable, Writable } from 'node:stream';
import type { Launch, Session } from '../../interface/codec.ts';
import { invalidOptionError } from '../../interface/errors.ts';
import type { Client } from '../events.ts';

/** The public `client` of one launch. If the launch does not wait, output is discarded. */
export class HostClient<R> implements Client<R> {
  readonly number: number;
  readonly cwd: string | undefined;
  readonly pid: number | undefined;
  readonly remoteAddress: string | undefined;
  readonly waiting: boolean;
  readonly #session: Session<R> | undefined;
  #signal: AbortSignal | undefined;
  #stdout: Writable | undefined;
  #stderr: Writable | undefined;
  #stdin: Readable | undefined;

  constructor(
    number: number,
    { cwd, pid }: Launch<unknown>,
    remoteAddress: string | undefined,
    session: Session<R> | undefined,
  ) {
    this.number = number;
    this.cwd = cwd;
    this.pid = pid;
    this.remoteAddress = remoteAddress;
    this.waiting = session !== undefined;
    this.#session = session;
    Object.freeze(this);
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
    return this.#session?.reply(value) ?? false;
  }

  exit(code = 0): boolean {
    if (!Number.isInteger(code) || code < 0 || code > 255)
      throw invalidOptionError('code', 'an integer from 0 to 255', code);
    return this.#session?.exit(code) ?? false;
  }
}

function nullWritable(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() }).on('error', () => {});
}
