import type { Readable, Writable } from 'node:stream';
import type { Codec, Stdio } from '../interface/codec.ts';
import type { SingletonError } from '../interface/errors.ts';
import type { Transport } from '../interface/transport.ts';
import type { Schema } from './schema.ts';

/** What both a launch and `Singleton.send` take. */
export interface DeliveryOptions<T, R = unknown> {
  /**
   * The IP address of the endpoint; not together with `transport`.
   * @default '127.0.0.1'
   */
  readonly address?: string | undefined;
  /**
   * The TCP port of the endpoint, 0 to 65535, best from 10000 to 32767; not together with `transport`.
   * @default 1337
   */
  readonly port?: number | undefined;
  /**
   * The endpoint, where it is not an address and a port.
   * @default tcp({ address, port })
   */
  readonly transport?: Transport | undefined;
  /**
   * How arguments and replies travel; it gives `T` and `R`. Host and client need the same.
   * @default legacy()
   */
  readonly codec?: Codec<T, R> | undefined;
  /**
   * The application's name: with a codec that can tell, a launch of another one on the same endpoint is refused.
   * @default ''
   */
  readonly name?: string | undefined;
  /**
   * What both sides prove themselves with; host and client need the same. Not empty; `generateSecret()` makes a good one.
   * With `legacy()` it travels in the clear.
   */
  readonly secret?: string | Uint8Array | undefined;
  /**
   * Milliseconds, 1 to 2147483647: one deadline for all that a launch does until its receipt. A host has as long, and a
   * second at least, to load what its codec decodes with.
   * @default 10_000
   */
  readonly deliveryTimeout?: number | undefined;
  /**
   * The largest message that is sent or taken, in bytes.
   * @default 1_048_576
   */
  readonly maxMessageBytes?: number | undefined;
  /**
   * `true`: the launch stays until the host has answered it by `reply` or `exit`, and passes its output and its stdin on; a
   * number: for so many milliseconds at most, 1 to 2147483647. Not with `legacy()`, on which no host can answer.
   * @default false
   */
  readonly wait?: boolean | number | undefined;
  /**
   * With `wait`: gets the host's `client.stdout`. It is not ended.
   * @default process.stdout
   */
  readonly stdout?: Writable | undefined;
  /**
   * With `wait`: gets the host's `client.stderr`. It is not ended.
   * @default process.stderr
   */
  readonly stderr?: Writable | undefined;
  /**
   * With `wait`: becomes the host's `client.stdin`. It is read only when the host reads.
   * @default process.stdin
   */
  readonly stdin?: Readable | undefined;
  /** Aborts the claim or the hand-off; on a host, releases the endpoint. */
  readonly signal?: AbortSignal | undefined;
}

/** What `Singleton` takes but for `args`. */
export interface HostOptions<T, R = unknown> extends DeliveryOptions<T, R> {
  /**
   * `false`: a second launch neither connects nor sends.
   * @default true
   */
  readonly client?: boolean | undefined;
  /**
   * `true`: a second launch exits the process once its hand-off is done, with status 0 or, where it waits, the host's;
   * `false`: it rejects with `MultipleSingletonsError`.
   * @default true
   */
  readonly strict?: boolean | undefined;
  /**
   * Milliseconds to hold the endpoint, up to 2147483647; 0 holds on.
   * @default 0
   */
  readonly timeout?: number | undefined;
  /**
   * The client that makes the count reach it releases the endpoint, and its arguments are dropped; 0: never.
   * @default 0
   */
  readonly releaseThreshold?: number | undefined;
  /**
   * Clients beyond it are counted, their arguments ignored; 0: no limit.
   * @default 0
   */
  readonly maxClients?: number | undefined;
  /**
   * Prints `warning` and `verifyFailed` to stderr.
   * @default false
   */
  readonly verbose?: boolean | undefined;
  /**
   * Milliseconds, 1 to 2147483647, that a connection has from its start to its complete launch.
   * @default 5000
   */
  readonly receiveTimeout?: number | undefined;
  /**
   * Connections that the host serves at a time; beyond it, the oldest whose launch is not complete is reset.
   * @default 512
   */
  readonly maxConnections?: number | undefined;
  /**
   * Launches that wait until somebody listens; together, 16 times `maxMessageBytes` at most.
   * @default 1024
   */
  readonly maxPending?: number | undefined;
}

/** `args`, with a default only where `T` is a list of strings. */
export type ArgsOption<T, R = unknown> = readonly string[] extends T
  ? {
      /**
       * What this launch hands over.
       * @default process.argv.slice(2)
       */
      readonly args?: NoInfer<T> | undefined;
    }
  : {
      /** What this launch hands over. */
      readonly args: NoInfer<Exclude<T, undefined>>;
      /** How arguments and replies travel; it gives `T` and `R`. Host and client need the same. */
      readonly codec: Codec<T, R>;
    };

/** Arguments that are validated: `Input` is what a launch is given, `Output` what a listener gets. */
export type SchemaOption<Input, Output, R = unknown> = {
  /** A Standard Schema (zod, valibot, arktype, …): validates arguments before they are sent, and before they are published. */
  readonly schema: Schema<Input, Output>;
  /** What this launch hands over. */
  readonly args: NoInfer<Input>;
  /** How arguments and replies travel; it gives `R`. Host and client need the same. */
  readonly codec: Codec<unknown, R>;
};

/** Tells options without a schema from those with one, which have types of their own. */
export type NoSchema = {
  /** See `ValidatedOptions`. */
  readonly schema?: undefined;
};

/** All options of `Singleton`. */
export type SingletonOptions<T = readonly string[], R = unknown> = HostOptions<T, R> & ArgsOption<T, R> & NoSchema;

/** All options of `Singleton` with a `schema`. */
export type ValidatedOptions<Input, Output, R = unknown> = HostOptions<unknown, R> & SchemaOption<Input, Output, R>;

/** All options of `Singleton.send`. */
export type SendOptions<T = readonly string[], R = unknown> = DeliveryOptions<T, R> & ArgsOption<T, R> & NoSchema;

/** All options of `Singleton.send` with a `schema`. */
export type ValidatedSendOptions<Input, R = unknown> = DeliveryOptions<unknown, R> & SchemaOption<Input, unknown, R>;

/** The options as the code uses them: complete, checked, and not the caller's object. */
export interface ResolvedOptions<T, R = unknown> {
  readonly transport: Transport;
  readonly codec: Codec<T, R>;
  readonly args: T;
  readonly client: boolean;
  readonly strict: boolean;
  readonly timeout: number;
  readonly releaseThreshold: number;
  readonly maxClients: number;
  readonly verbose: boolean;
  readonly name: string;
  /** What is allowed but unwise. */
  readonly optionWarning: SingletonError | undefined;
  /** As bytes: UTF-8 of a string. */
  readonly secret: Uint8Array | undefined;
  /** Milliseconds that a launch waits for its answer: 0 not at all, `Infinity` for as long as it takes. */
  readonly wait: number;
  /** As given. */
  readonly stdio: { readonly [Name in keyof Stdio]: Stdio[Name] | undefined };
  readonly deliveryTimeout: number;
  readonly receiveTimeout: number;
  readonly maxMessageBytes: number;
  readonly maxConnections: number;
  readonly maxPending: number;
  readonly signal: AbortSignal | undefined;
}

/** What any caller may give. */
export type AnyOptions<T, R> = HostOptions<T, R> & {
  readonly args?: T | undefined;
  readonly schema?: Schema<unknown, T> | undefined;
};
