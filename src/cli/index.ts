#!/usr/bin/env node
// Before the rest is loaded, which it makes faster: Node 22.8 and later. `any`: the types are those of Node 20.
const module: any = process.getBuiltinModule('node:module');
module.enableCompileCache?.();
const { main } = await import('./main.ts');
const exit = await main(process.argv.slice(2));
// Not process.exit(): what was printed may not have been written yet.
process.exitCode = typeof exit === 'number' ? exit : exit.status;
// A shell that was interrupted, too, goes on if its command seems to have handled the signal.
if (typeof exit !== 'number') process.kill(process.pid, exit.signal);
