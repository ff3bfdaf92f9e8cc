import type { Readable, Writable } from 'node:stream';
import type { Codec } from '../../interface/codec.ts';
import type { HostStatus } from '../../interface/receipt.ts';
import type { Transport } from '../../interface/transport.ts';
import type { Start } from './start.ts';

/** Options of `Singleton.send`, and of `Singleton`. */
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
   * The endpoint, if it is not a TCP address and port.
   * @default tcp({ address, port })
   */
  readonly transport?: Transport | undefined;
  /**
   * How arguments and replies are encoded; `T` and `R` are inferred from it. Host and client need the same.
   * @default legacy()
   */
  readonly codec?: Codec<T, R> | undefined;
  /**
   * The name of the application. A structured codec refuses launches of another application at the same endpoint.
   * @default ''
   */
  readonly name?: string | undefined;
  /**
   * The version of this program, 1 to 255 bytes: `client.version`, `receipt.host.version` and the status have it. `legacy()` does
   * not carry it.
   */
  readonly version?: string | undefined;
  /**
   * Names of environment variables that the host gets as `client.env`, those that are set. Not with `legacy()`.
   * @default []
   */
  readonly forwardEnv?: readonly string[] | undefined;
  /**
   * With `wait`: signals that do not end this process during the session but go to the host, as the event `signal` of `client`.
   * Not `SIGKILL` and `SIGSTOP`.
   * @default []
   * @example
   * await Singleton.send({ port: 21337, codec: json(), args, wait: true, forwardSignals: ['SIGINT', 'SIGTERM'] });
   */
  readonly forwardSignals?: readonly NodeJS.Signals[] | undefined;
  /**
   * The secret that both sides prove; host and client need the same. Not empty; `generateSecret()` creates one.
   * With `legacy()` it is sent in clear text.
   */
  readonly secret?: string | Uint8Array | undefined;
  /**
   * The path of a file that has the secret, instead of `secret`: at most 4096 bytes, less one line end. The file must belong to
   * the effective user, without permissions for others (mode 0600). It is read when the options are checked.
   */
  readonly secretFile?: string | undefined;
  /**
   * Milliseconds, 1 to 2147483647: one deadline for a launch up to its receipt. A host has as long to load its codec, but
   * a second at least.
   * @default 10_000
   */
  readonly deliveryTimeout?: number | undefined;
  /**
   * The largest message that is sent or received, in bytes.
   * @default 1_048_576
   */
  readonly maxMessageBytes?: number | undefined;
  /**
   * `true`: waits until the host has set a result by `reply` or `exit`, and connects stdin, stdout and stderr with the host.
   * A number: for so many milliseconds at most, 1 to 2147483647. Not with `legacy()`, which cannot carry a result.
   * @default false
   * @example
   * const { reply } = await Singleton.send({ port: 21337, codec: json<Job, number>(), args: job, wait: true });
   */
  readonly wait?: boolean | number | undefined;
  /**
   * With `wait`: receives the host's `client.stdout`. It is not ended.
   * @default process.stdout
   */
  readonly stdout?: Writable | undefined;
  /**
   * With `wait`: receives the host's `client.stderr`. It is not ended.
   * @default process.stderr
   */
  readonly stderr?: Writable | undefined;
  /**
   * With `wait`: becomes the host's `client.stdin`. It is read only when the host reads.
   * @default process.stdin
   */
  readonly stdin?: Readable | undefined;
  /** Aborts the acquisition or the delivery; on a host, releases the endpoint. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `Singleton.send`, except `args`. */
export interface SenderOptions<T, R = unknown> extends DeliveryOptions<T, R> {
  /**
   * If no host is there, starts it, detached from this process, and delivers to it as soon as it listens: the program that becomes the
   * host, or a function that starts it. Of several launches of one user at once one starts it, and all are delivered.
   * `deliveryTimeout` includes the start.
   * @example
   * const start = { command: process.execPath, args: [fileURLToPath(import.meta.resolve('./daemon.js'))] };
   * const { reply } = await Singleton.send({ port: 21337, codec: json(), args, wait: true, start });
   */
  readonly start?: Start | undefined;
}

/** Options of `Singleton`, except `args`. */
export interface HostOptions<T, R = unknown> extends DeliveryOptions<T, R> {
  /**
   * `false`: a second launch neither connects nor sends.
   * @default true
   */
  readonly client?: boolean | undefined;
  /**
   * `true`: a second launch exits the process after its delivery, with `exitCode`, or with the host's status if it waits.
   * `false`: `acquire()` rejects with `MultipleSingletonsError`.
   * @default true
   */
  readonly strict?: boolean | undefined;
  /**
   * The status, 0 to 255, with which a second launch exits after its delivery. Not together with `wait`, which exits with the host's
   * status, or `strict: false`, which does not exit.
   * @default 0
   */
  readonly exitCode?: number | undefined;
  /**
   * `true`: as host, dispatches its own launch too, as the first one: `client.self` is `true` and `client.number` is 0. Its streams
   * are those of this process. With `wait`, its result sets `process.exitCode`, and the process goes on.
   * @default false
   * @example
   * const app = await Singleton.acquire({ port: 21337, codec: json(), args, wait: true, self: true });
   * app.handle(({ file }, client) => format(file, client.cwd)); // the first launch and all later ones
   */
  readonly self?: boolean | undefined;
  /**
   * Becomes the host in place of the process that is host now, if that allows it (`allowReplace`). The old host releases its
   * endpoint and finishes what it has. A function is called with the status of each host that this launch finds, and decides;
   * `true` replaces only the first one, so that of several launches at once one replaces and the others deliver. Not with
   * `legacy()`.
   * @default false
   * @example
   * const app = await Singleton.acquire({ codec: json(), args, version, replace: (host) => host.version !== version });
   */
  readonly replace?: boolean | ((status: HostStatus) => boolean) | undefined;
  /**
   * As host: lets a launch with `replace` take the endpoint. With a `secret`, only one that has proven it.
   * @default false
   */
  readonly allowReplace?: boolean | undefined;
  /**
   * `true`: if the endpoint is in use, waits until it is free and then becomes the host, instead of delivering. A number: for so
   * many milliseconds at most, 1 to 2147483647; then `acquire()` rejects with `ERR_SINGLETON_ENDPOINT_UNAVAILABLE`. `signal`
   * ends it. Of several processes in standby one becomes the host. Not with `replace`.
   * @default false
   * @example
   * const app = await Singleton.acquire({ port: 21337, standby: true });
   */
  readonly standby?: boolean | number | undefined;
  /**
   * Milliseconds to hold the endpoint, up to 2147483647; 0: without a limit.
   * @default 0
   */
  readonly timeout?: number | undefined;
  /**
   * Milliseconds, up to 2147483647: releases the endpoint with the reason `idle` after so long without a launch that is being
   * delivered, waits, or is at work (a listener returned a promise). 0: never.
   * @default 0
   */
  readonly idleTimeout?: number | undefined;
  /**
   * The number of clients that releases the endpoint. The arguments of the last one are dropped. 0: never.
   * @default 0
   */
  readonly releaseThreshold?: number | undefined;
  /**
   * Clients beyond this number are counted, but not dispatched. 0: no limit.
   * @default 0
   */
  readonly maxClients?: number | undefined;
  /**
   * Prints `warning` and `verifyFailed` to stderr.
   * @default false
   */
  readonly verbose?: boolean | undefined;
  /**
   * Milliseconds, 1 to 2147483647, within which a connection must deliver a complete launch.
   * @default 5000
   */
  readonly receiveTimeout?: number | undefined;
  /**
   * Connections that the host serves at a time. Beyond this number the oldest one without a complete launch is reset.
   * @default 512
   */
  readonly maxConnections?: number | undefined;
  /**
   * Launches that wait in the queue for a listener; 16 times `maxMessageBytes` at most in total.
   * @default 1024
   */
  readonly maxPending?: number | undefined;
}
