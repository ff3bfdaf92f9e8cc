import type { HostStatus } from '../../index.ts';
import { connectionOptions, oneOperand } from '../arguments.ts';
import type { Invocation } from '../command.ts';
import { transportOf } from '../endpoint.ts';
import { hostStatus } from '../host-status.ts';
import { printLine } from '../output.ts';

export async function run({ options, operands }: Invocation): Promise<number> {
  const transport = await transportOf(oneOperand(operands, 'ENDPOINT'));
  const status = await hostStatus({ transport, ...connectionOptions(options) });
  await printLine(options['json'] ? JSON.stringify(status) : describe(status));
  return 0;
}

/** One member a line, without control characters of the host, which a terminal would obey. */
function describe(status: HostStatus): string {
  return Object.entries(status)
    .map(([name, value]) => `${name.padEnd(10)}${value instanceof Date ? value.toISOString() : printable(value)}`)
    .join('\n');
}

function printable(value: unknown): string {
  return String(value).replaceAll(/\p{Cc}+/gu, ' ');
}
