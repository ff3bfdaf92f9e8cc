import type { VerifyFailureReason } from '../codecs/codec.ts';
import type { SingletonError } from './errors.ts';

/** What a host emits. There is no `error` event: a forgotten listener must not bring a host down. */
export type SingletonEvents<T = readonly string[]> = {
  /** A launch was admitted and carries arguments; an empty list emits only `client`. */
  args: (args: T, client: Client) => void;
  /** A client was counted; comes before its `args`. */
  client: (client: Client) => void;
  /** The place is free. Once. */
  release: (reason: ReleaseReason) => void;
  /** The hold time ran out; `release` follows. */
  timeout: () => void;
  /** Somebody did not prove the secret. */
  verifyFailed: (failure: VerifyFailure) => void;
  /** Something failed that is nobody's exception: a connection, bytes that could not be decoded, an observer. */
  warning: (error: SingletonError) => void;
};

/** The host's view of one launch. What the codec or the transport cannot tell is `undefined`. */
export interface Client {
  /** 1 for the first client that was counted. */
  readonly number: number;
  /** The working directory of the launch. */
  readonly cwd: string | undefined;
  /** The process id of the launch. */
  readonly pid: number | undefined;
  /** The address it came from. */
  readonly remoteAddress: string | undefined;
}

/** Why the place is free: `lost` means that somebody else took it away. */
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
