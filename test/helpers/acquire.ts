import { acquire } from '../../src/core/acquire.ts';
import { followSignal, LazyAbortController } from '../../src/core/deadline.ts';
import type { HostOptions } from '../../src/core/options/options.ts';
import { resolveOptions } from '../../src/core/options/resolve-options.ts';
import { Server } from '../../src/core/server.ts';
import type { Receipt } from '../../src/interface/receipt.ts';
import { type Script, ScriptedTransport } from './scripted-transport.ts';

type Strings = readonly string[];

export interface Acquiring {
  readonly transport: ScriptedTransport;
  readonly server: Server;
  readonly result: Promise<Receipt | undefined>;
}

/** Acquires an endpoint that answers by the script. */
export function startAcquire(
  script: Script,
  options: HostOptions<Strings> & { readonly args?: Strings } = {},
  { signal } = new AbortController(),
): Acquiring {
  const transport = new ScriptedTransport(script);
  const resolved = resolveOptions<Strings>({ transport, args: ['a', 'b'], ...options });
  const server = new Server(
    resolved,
    () => {},
    () => {},
  );
  const lifetime = new LazyAbortController();
  const unfollow = followSignal(lifetime, signal);
  const run = async (): Promise<Receipt | undefined> => {
    try {
      const acquired = await acquire((attempt) => server.listen(attempt), resolved, lifetime);
      if ('receipt' in acquired) return acquired.receipt;
      server.attach({ accept: () => {}, onDropped: () => {}, cut: () => {}, drain: async () => {} });
      server.serve();
      return undefined;
    } finally {
      unfollow();
    }
  };
  return { transport, server, result: run() };
}
