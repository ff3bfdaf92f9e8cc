// A job queue: one host compresses what launches pipe into it, four jobs at a time. `node app.js serve` starts it, then:
//   node app.js add '{"task":"gzip"}' < app.log > app.log.gz
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliCompress, createGzip } from 'node:zlib';
import { Singleton } from 'socket-singleton';
import { msgpack } from 'socket-singleton/codecs/msgpack';
import { z } from 'zod';

const schema = z.object({ task: z.enum(['gzip', 'brotli']) });
/** @type {import('socket-singleton').Codec<z.infer<typeof schema>, { bytes: number }>} */
const codec = msgpack();
const port = Number(process.env.QUEUE_PORT ?? 21341);
const secretFile = process.env.QUEUE_SECRET_FILE ?? join(homedir(), '.queue-secret');
const [command, job = '{"task":"gzip"}'] = process.argv.slice(2);

if (command === 'serve') {
  await import('./audit.js');
  const app = await Singleton.acquire({ port, codec, schema, secretFile, client: false, exitCode: 75 });
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => app.release({ drain: 60_000 }));
  app.once('release', () => process.exit());
  app.handle(
    async ({ task }, { stdin, stdout, signal }) => {
      const compress = task === 'gzip' ? createGzip() : createBrotliCompress();
      await pipeline(stdin, compress, stdout, { end: false, signal });
      return { bytes: compress.bytesWritten };
    },
    { concurrency: 4 },
  );
} else {
  try {
    const { reply } = await Singleton.send({ port, codec, schema, secretFile, args: JSON.parse(job), wait: true });
    console.error(`compressed ${reply?.bytes} bytes`);
  } catch (error) {
    console.error(String(error));
    process.exitCode = 1;
  }
}
