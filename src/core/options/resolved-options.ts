import type { Codec } from '../../interface/codec.ts';
import type { SingletonError } from '../../interface/errors.ts';
import type { HostStatus } from '../../interface/receipt.ts';
import type { Stdio } from '../../interface/session.ts';
import type { Transport } from '../../interface/transport.ts';
import type { HostOptions } from './options.ts';
import type { Schema } from './schema.ts';
import type { Start } from './start.ts';

/** All options, checked and with defaults. Not the caller's object. */
export interface ResolvedOptions<T, R = unknown> {
  readonly transport: Transport;
  /** That of a launch. */
  readonly codec: Codec<T, R>;
  /** Those of a host; the first one is `codec`. */
  readonly codecs: readonly Codec<T, R>[];
  readonly args: T;
  readonly schema: Schema<unknown, T> | undefined;
  readonly client: boolean;
  readonly strict: boolean;
  readonly self: boolean;
  /** The status of a strict second launch that does not wait. */
  readonly exitCode: number;
  readonly timeout: number;
  readonly idleTimeout: number;
  readonly releaseThreshold: number;
  readonly maxClients: number;
  readonly verbose: boolean;
  readonly name: string;
  readonly version: string | undefined;
  readonly forwardEnv: readonly string[];
  readonly forwardSignals: readonly NodeJS.Signals[];
  readonly replace: boolean | ((status: HostStatus) => boolean);
  readonly allowReplace: boolean;
  /** Milliseconds to wait until the endpoint is free: 0 not at all, `Infinity` without a limit. */
  readonly standby: number;
  /** A problem that is not an error; the host emits it as a warning. */
  readonly optionWarning: SingletonError | undefined;
  /** As bytes: UTF-8 of a string, or what `secretFile` holds. */
  readonly secret: Uint8Array | undefined;
  /** Milliseconds to wait for the result: 0 not at all, `Infinity` without a limit. */
  readonly wait: number;
  /** As given. */
  readonly stdio: { readonly [Name in keyof Stdio]: Stdio[Name] | undefined };
  readonly deliveryTimeout: number;
  readonly receiveTimeout: number;
  readonly maxMessageBytes: number;
  readonly maxConnections: number;
  readonly maxPending: number;
  readonly signal: AbortSignal | undefined;
  /** Of `Singleton.send` only. */
  readonly start?: Start | undefined;
}

/** `AnyOptions` of `Singleton.send`. */
export type AnySendOptions<T, R> = AnyOptions<T, R> & { readonly start?: Start | undefined };

/** What the implementations of the overloads accept. */
export type AnyOptions<T, R> = Omit<HostOptions<T, R>, 'codec'> & {
  readonly codec?: Codec<T, R> | readonly Codec<T, R>[] | undefined;
  readonly args?: T | undefined;
  readonly schema?: Schema<unknown, T> | undefined;
};
