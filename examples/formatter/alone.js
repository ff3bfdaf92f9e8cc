// The same work without a host, for comparison: each process loads the formatter anew.
import { text } from 'node:stream/consumers';
import { format } from 'prettier';

const [filepath = 'stdin.js'] = process.argv.slice(2);
process.stdout.write(await format(await text(process.stdin), { filepath }));
