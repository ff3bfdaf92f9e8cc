import type * as Typed from 'typed-emitter';
import type { ReleaseReason, SingletonEvents } from '../../events.ts';
import type { ResolvedOptions } from '../../options/resolved-options.ts';
import type { Server } from '../../server.ts';
import type { Subscribers } from '../../subscribers.ts';
import type { Warnings } from './warnings.ts';

/** What a host has of its Singleton. */
export interface HostContext<T, R> {
  readonly options: ResolvedOptions<T, R>;
  readonly emitter: Typed.default<SingletonEvents<T, R>>;
  readonly subscribers: Subscribers<T, R>;
  readonly server: Server;
  /** Created with the first warning, which may come before there is a host. */
  warnings?: Warnings<T, R>;
  /** What `ref()` or `unref()` has set; `undefined` if neither was called. */
  isRef?: boolean;
  /** Releases the endpoint. `server.closed` resolves when it is free. */
  readonly release: (reason: ReleaseReason) => void;
}
