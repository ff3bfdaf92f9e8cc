import { acquire } from '../../src/core/acquire.ts';
import { LazyAbortController } from '../../src/core/deadline.ts';
import type { HostOptions } from '../../src/core/options.ts';
import { resolveOptions } from '../../src/core/resolve-options.ts';
import type { ServedHost, Server } from '../../src/core/server.ts';
import type { Receipt } from '../../src/interface/receipt.ts';
import { type Script, ScriptedTransport } from './scripted-transport.ts';
import { holdOf } from './server.ts';

type Strings = readonly string[];

export interface Claim {
  readonly transport: ScriptedTransport;
  readonly hold: Server<ServedHost>;
  readonly result: Promise<Receipt | undefined>;
}

/** Claims an endpoint that answers by the script. */
export function begin(
  script: Script,
  options: HostOptions<Strings> & { readonly args?: Strings } = {},
  { signal } = new AbortController(),
): Claim {
  const transport = new ScriptedTransport(script);
  const resolved = resolveOptions<Strings>({ transport, args: ['a', 'b'], ...options });
  const reports = { launched: () => true, verifyFailed: () => {}, warning: () => {}, changed: () => {} };
  const hold = holdOf(resolved, reports);
  const run = async (): Promise<Receipt | undefined> => {
    const delivery = await acquire(hold, resolved, signal);
    if (!delivery) await hold.open(new LazyAbortController());
    return delivery?.receipt;
  };
  return { transport, hold, result: run() };
}
