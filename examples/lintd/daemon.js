// Has Prettier loaded. cli.js starts it, and it ends if nobody calls for ten minutes.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { styleText } from 'node:util';
import { check, resolveConfig } from 'prettier';
import { Singleton } from 'socket-singleton';
import { shared } from './shared.js';

const idleTimeout = Number(process.env.LINTD_IDLE ?? 600_000);
const app = await Singleton.acquire({ ...shared, client: false, idleTimeout });
process.once('SIGTERM', () => void app.release({ drain: true }));
app.handle(async (words, { cwd = '', version = '', stdin, stdout, signal }) => {
  if (words[0] === '\0stop' || version.localeCompare(shared.version, 'en', { numeric: true }) > 0) {
    void app.release({ drain: true }); // calls that are at work are answered
    return 'released';
  }
  let status = 0;
  for (const word of words) {
    const filepath = resolve(cwd, word === '-' ? 'stdin.ts' : word);
    const result = await (word === '-' ? text(stdin) : readFile(filepath, { encoding: 'utf8', signal }))
      .then(async (source) => check(source, { ...(await resolveConfig(filepath, { useCache: false })), filepath }))
      .catch((error) => String(error).split('\n')[0]);
    if (result === true || signal.aborted) continue;
    const name = stdout.hasColors() ? styleText('red', word, { validateStream: false }) : word;
    stdout.write(`${name}: ${result || 'not formatted'}\n`);
    status = 1;
  }
  return status;
});
