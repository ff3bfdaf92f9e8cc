import { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type * as Typed from 'typed-emitter';
import type { VerifyFailureReason } from '../interface/codec.ts';
import type { SingletonError } from '../interface/errors.ts';
/** Its types say less than `typed-emitter`, which has no code of its own, says of the same class. */
const untyped: any = EventEmitter;

/** Node's `EventEmitter`, with the types of `typed-emitter`. */
export const TypedEmitter: new <Events extends Typed.EventMap>() => Typed.default<Events> = untyped;

/** What a host emits. There is no `error` event: a forgotten listener must not bring a host down. */
export type SingletonEvents<T = readonly string[], R = unknown> = {
  /**
   * A launch was admitted and carries arguments; an empty list emits only `client`, unless the launch waits. A promise is
   * waited for, see `Client`.
   */
  args: (args: T, client: Client<R>) => unknown;
  /** A client was counted; comes before its `args`. A promise is waited for, see `Client`. */
  client: (client: Client<R>) => unknown;
  /** The endpoint is free. Once. */
  release: (reason: ReleaseReason) => void;
  /** The hold time ran out; `release` follows. */
  timeout: () => void;
  /** Somebody did not prove the secret. */
  verifyFailed: (failure: VerifyFailure) => void;
  /** Something failed that is nobody's exception: a connection, bytes that could not be decoded, an observer. */
  warning: (error: SingletonError) => void;
};

/**
 * The host's view of one launch. What the codec or the transport cannot tell is `undefined`.
 *
 * A launch that is `waiting` stays until its last word, the first `reply` or `exit`; where several listeners got it, until
 * all have settled. Where none comes, it ends when all have settled and no stream is in use (piped, or read): with status
 * 0, or with `ERR_SINGLETON_OBSERVER_FAILED` if one of them threw or rejected.
 */
export interface Client<R = unknown> {
  /** 1 for the first client that was counted. */
  readonly number: number;
  /** The working directory of the launch. */
  readonly cwd: string | undefined;
  /** The process id of the launch. */
  readonly pid: number | undefined;
  /** The address it came from. */
  readonly remoteAddress: string | undefined;
  /** Whether the launch stays for an answer (`wait`). Else what is said to it goes nowhere. */
  readonly waiting: boolean;
  /** Aborts when a waiting launch is gone, so that work for nobody can stop. */
  readonly signal: AbortSignal;
  /** Arrives on the launch's stdout, in order; a slow reader there is felt here. An error of it hurts nobody else. */
  readonly stdout: Writable;
  /** Arrives on the launch's stderr, in order. */
  readonly stderr: Writable;
  /** What is piped into the launch, which reads it when it is read here. Empty where the launch does not wait. */
  readonly stdin: Readable;
  /**
   * The last word: a value; the launch ends with status 0 once all output has arrived. `false` where the last word was said,
   * or nobody waits for it.
   * @throws SingletonError `ERR_SINGLETON_UNENCODABLE`, `ERR_SINGLETON_MESSAGE_TOO_LARGE`
   */
  reply(value: R): boolean;
  /**
   * The last word: the launch ends with this status, 0 to 255, once all output has arrived. `false` where the last word was
   * said, or nobody waits for it.
   * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
   */
  exit(code?: number): boolean;
}

/** A launch with its client, as `for await` gives them. */
export interface Arrival<T, R = unknown> {
  /** What it handed over. */
  readonly args: T;
  /** Whom it came from. */
  readonly client: Client<R>;
}

/** Why the endpoint is free: `lost` means that somebody else took it away. */
export type ReleaseReason = 'manual' | 'timeout' | 'threshold' | 'aborted' | 'lost';

/** Who tried to get in, without a byte of what they sent. */
export interface VerifyFailure {
  /** What was wrong with the proof. */
  readonly reason: VerifyFailureReason;
  /** The address it came from. */
  readonly remoteAddress: string | undefined;
  /** When it was refused. */
  readonly time: Date;
}
