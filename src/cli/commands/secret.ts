import { generateSecret } from '../../index.ts';
import type { Invocation } from '../command.ts';
import { noOperands } from '../arguments.ts';
import { printLine } from '../output.ts';

export async function run({ operands }: Invocation): Promise<number> {
  noOperands(operands);
  await printLine(generateSecret());
  return 0;
}
