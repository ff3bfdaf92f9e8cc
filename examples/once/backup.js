// Writes the output of a command to a file, unless a backup to that file is at work: then it exits with status 75.
//   node backup.js app.sql pg_dump app
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, rename } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Singleton } from 'socket-singleton';
import { pipe } from 'socket-singleton/transports/pipe';

const [file, command, ...args] = process.argv.slice(2);
if (!file || !command) throw new Error('Usage: node backup.js FILE COMMAND [ARGUMENT...]');
const transport = pipe({ path: resolve(`${file}.socket`) });
const app = await Singleton.acquire({ transport, client: false, exitCode: 75 });

const part = await open(`${file}.part`, 'w');
// First, so that no signal ends this process and leaves the command.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill());
const child = spawn(command, args, { stdio: ['inherit', part.fd, 'inherit'] });
const [status] = await once(child, 'close');
// Half a backup never replaces a whole one.
if (status === 0) await rename(`${file}.part`, file);
process.exitCode = status ?? 1;
await app.release();
