import type { Killed, Run } from './command.ts';
import { UsageError } from './command.ts';
import { parse } from './parse.ts';
import { type CommandName, isCommandName, SYNTAX } from './syntax.ts';

/** Runs a command line, without the name of the program. Resolves to the exit status. */
export async function main(args: readonly string[]): Promise<number | Killed> {
  try {
    return await run(args);
  } catch (error) {
    const { report } = await import('./report.ts');
    return report(error, args[0]);
  }
}

async function run([name, ...args]: readonly string[]): Promise<number | Killed> {
  if (name === '--help' || name === '-h' || name === 'help') return help(noMore(args, 1)[0]);
  if (name === '--version') {
    noMore(args, 0);
    return version();
  }
  if (name === undefined) throw new UsageError('COMMAND is missing.');
  if (!isCommandName(name)) throw new UsageError(`"${name}" is not a command.`);
  const invocation = parse(name, SYNTAX[name], args);
  if (invocation.options['help']) return help(name);
  const { run: runCommand } = await LOADERS[name]();
  return runCommand(invocation);
}

/** @throws UsageError for more words than so many */
function noMore(args: readonly string[], count: number): readonly string[] {
  if (args.length > count) throw new UsageError(`"${args[count]}" is not expected.`);
  return args;
}

/** Only the code of one command is loaded. */
const LOADERS: Readonly<Record<CommandName, () => Promise<{ readonly run: Run }>>> = {
  run: () => import('./commands/run.ts'),
  send: () => import('./commands/send.ts'),
  listen: () => import('./commands/listen.ts'),
  status: () => import('./commands/status.ts'),
  stop: () => import('./commands/stop.ts'),
  secret: () => import('./commands/secret.ts'),
  completion: () => import('./commands/completion.ts'),
};

/** No launch loads it. */
async function help(name: string | undefined): Promise<number> {
  const { printHelp } = await import('./help/index.ts');
  return printHelp(name);
}

async function version(): Promise<number> {
  const { printVersion } = await import('./help/index.ts');
  return printVersion();
}
