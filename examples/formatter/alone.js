// The same work in a process of its own, each time from cold.
import { text } from 'node:stream/consumers';
import { format } from 'prettier';

const [filepath = 'stdin.js'] = process.argv.slice(2);
process.stdout.write(await format(await text(process.stdin), { filepath }));
