// Reports files that Prettier would change: `node cli.js FILE...`. Other commands: `status`, `stop` and `restart`.
import { Singleton } from 'socket-singleton';
import { shared } from './shared.js';

const args = process.argv.slice(2);
const command = ['status', 'stop', 'restart'].includes(args[0] ?? '') ? args.shift() : undefined;
const start = { command: process.execPath, args: ['daemon.js'], cwd: import.meta.dirname };
try {
  const host = command && (await Singleton.status(shared));
  if (command) console.log(host ? `version ${host.version} in process ${host.pid}` : 'not running');
  if (host && command !== 'status') await Singleton.send({ ...shared, args: ['\0stop'] });
  let receipt;
  if (command === 'status') process.exitCode = host ? 0 : 1;
  else if (command !== 'stop') {
    do receipt = await Singleton.send({ ...shared, args, start, wait: true, forwardSignals: ['SIGINT', 'SIGTERM'] });
    while (receipt.reply === 'released'); // by an older version: start this one
    process.exitCode = receipt.reply ?? receipt.exitCode;
  }
} catch (error) {
  console.error(String(error));
  process.exitCode = 2;
}
