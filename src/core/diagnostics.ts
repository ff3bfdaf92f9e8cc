import { channel, hasSubscribers } from 'node:diagnostics_channel';
import { MultipleSingletonsError, type SingletonError } from '../interface/errors.ts';
import type { Outcome } from '../interface/receipt.ts';
import type { SessionResult } from '../interface/session.ts';
import type { Client, ReleaseReason, VerifyFailure } from './events.ts';

/** The channels of `node:diagnostics_channel`, with the message of each. They cost nothing without a subscriber. */
export interface DiagnosticsMessages {
  /**
   * An attempt to acquire has ended: this process is the host, has delivered its launch (`outcome`), or has failed (`error`). A
   * strict launch exits when the subscribers have returned.
   */
  'socket-singleton:acquire': AtEndpoint & { readonly outcome?: 'host' | Outcome; readonly error?: unknown };
  /** A client was counted. */
  'socket-singleton:client': AtEndpoint & { readonly client: Client };
  /** A launch is passed to the handler, listeners, observers and loops, now or after it has waited for them. */
  'socket-singleton:dispatch': AtEndpoint & { readonly args: unknown; readonly client: Client };
  /** The session of a launch that waits has ended. There is one for each such client that was counted. */
  'socket-singleton:result': AtEndpoint & SessionResult & { readonly client: Client };
  /** A client did not prove the secret. As many as there are events. */
  'socket-singleton:verifyFailed': AtEndpoint & { readonly failure: VerifyFailure };
  /** Something failed that does not end the host. As many as there are events. */
  'socket-singleton:warning': AtEndpoint & { readonly warning: SingletonError };
  /** The endpoint is free, and launches on their way are served. */
  'socket-singleton:release': AtEndpoint & { readonly reason: ReleaseReason };
}

/** A process may have several Singletons. */
interface AtEndpoint {
  /** The endpoint of the Singleton, such as `tcp://127.0.0.1:1337`. */
  readonly endpoint: string;
}

/** Publishes a message, which is built only if there is a subscriber. Never throws: Node reports what a subscriber throws. */
export function publish<Name extends keyof DiagnosticsMessages>(
  name: Name,
  buildMessage: () => DiagnosticsMessages[Name],
): void {
  if (hasSubscribers(name)) channel(name).publish(buildMessage());
}

/** Publishes how an attempt to acquire ends, unless the process exits. */
export async function publishAcquire(lifecycle: AtEndpoint, acquiring: Promise<void>): Promise<void> {
  try {
    await acquiring;
    publish('socket-singleton:acquire', () => ({ endpoint: lifecycle.endpoint, outcome: 'host' }));
  } catch (error) {
    publish('socket-singleton:acquire', () => {
      const end = error instanceof MultipleSingletonsError ? { outcome: error.receipt.outcome } : { error };
      return { endpoint: lifecycle.endpoint, ...end };
    });
    throw error;
  }
}
