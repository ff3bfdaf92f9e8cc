import { type HostStatus, legacy, Singleton, SingletonError, type StatusOptions } from '../../index.ts';
import { json } from '../../codecs/json.ts';
import { identityOf, oneOperand } from '../arguments.ts';
import type { Invocation } from '../command.ts';
import { transportOf } from '../endpoint.ts';
import { noHostError } from '../no-host.ts';
import { printLine } from '../output.ts';

export async function run({ options, operands }: Invocation): Promise<number> {
  const transport = await transportOf(oneOperand(operands, 'ENDPOINT'));
  const status = await statusOf({ transport, ...identityOf(options) });
  if (!status) throw noHostError(transport.endpoint);
  await printLine(options['json'] ? JSON.stringify(status) : describe(status));
  return 0;
}

/** A host with `legacy()` alone does not answer the question; then it is only known that it is there. */
async function statusOf(options: StatusOptions): Promise<HostStatus | undefined> {
  try {
    return await Singleton.status({ ...options, codec: json() });
  } catch (error) {
    const isLegacy = error instanceof SingletonError && error.code === 'ERR_SINGLETON_UNSUPPORTED_VERSION';
    if (!isLegacy || options.name !== undefined) throw error;
    return Singleton.status({ ...options, codec: legacy() });
  }
}

/** One member a line. */
function describe(status: HostStatus): string {
  return Object.entries(status)
    .map(([name, value]) => `${name.padEnd(10)}${value instanceof Date ? value.toISOString() : String(value)}`)
    .join('\n');
}
