import { Readable, Writable } from 'node:stream';
import type { Dialogue, Launch } from '../../interface/codec.ts';
import { invalidOption } from '../../interface/errors.ts';
import type { Client } from '../events.ts';

/** What a host knows of a client that was counted. */
export interface Counted<R> {
  readonly number: number;
  readonly launch: Launch<unknown>;
  readonly remoteAddress: string | undefined;
  /** `undefined` where the launch does not wait. */
  readonly dialogue: Dialogue<R> | undefined;
}

/** One launch as listeners see it. Where it does not wait, what they say to it goes nowhere, and nobody is hurt. */
export class ClientView<R> implements Client<R> {
  readonly number: number;
  readonly cwd: string | undefined;
  readonly pid: number | undefined;
  readonly remoteAddress: string | undefined;
  readonly waiting: boolean;
  readonly #dialogue: Dialogue<R> | undefined;
  #signal: AbortSignal | undefined;
  #stdout: Writable | undefined;
  #stderr: Writable | undefined;
  #input: Readable | undefined;

  constructor({ number, launch: { cwd, pid }, remoteAddress, dialogue }: Counted<R>) {
    this.number = number;
    this.cwd = cwd;
    this.pid = pid;
    this.remoteAddress = remoteAddress;
    this.waiting = dialogue !== undefined;
    this.#dialogue = dialogue;
    Object.freeze(this);
  }

  get signal(): AbortSignal {
    return this.#dialogue?.signal ?? (this.#signal ??= new AbortController().signal);
  }

  get stdout(): Writable {
    return this.#dialogue?.stdout ?? (this.#stdout ??= nowhere());
  }

  get stderr(): Writable {
    return this.#dialogue?.stderr ?? (this.#stderr ??= nowhere());
  }

  get stdin(): Readable {
    return this.#dialogue?.stdin ?? (this.#input ??= Readable.from([]));
  }

  reply(value: R): boolean {
    return this.#dialogue?.reply(value) ?? false;
  }

  exit(code = 0): boolean {
    if (!Number.isInteger(code) || code < 0 || code > 255)
      throw invalidOption('code', 'an integer from 0 to 255', code);
    return this.#dialogue?.exit(code) ?? false;
  }
}

function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() }).on('error', () => {});
}
