import { claim } from '../../src/core/claim.ts';
import { Host } from '../../src/core/host.ts';
import type { HostOptions } from '../../src/core/options.ts';
import { resolveOptions } from '../../src/core/resolve-options.ts';
import type { Receipt } from '../../src/core/receipt.ts';
import { ScriptedTransport, type Script } from './scripted-transport.ts';

type Strings = readonly string[];

export interface Claim {
  readonly transport: ScriptedTransport;
  readonly host: Host<Strings>;
  readonly result: Promise<Receipt | undefined>;
}

/** Claims a place that answers by the script. */
export function begin(
  script: Script,
  options: HostOptions<Strings> & { readonly args?: Strings } = {},
  { signal } = new AbortController(),
): Claim {
  const transport = new ScriptedTransport(script);
  const resolved = resolveOptions<Strings>({ transport, args: ['a', 'b'], ...options });
  const host = new Host<Strings>(resolved, {
    launched: () => true,
    verifyFailed: () => {},
    warning: () => {},
    lost: () => {},
    changed: () => {},
  });
  return { transport, host, result: claim(host, resolved, signal).then((delivery) => delivery?.receipt) };
}
