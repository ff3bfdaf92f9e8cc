import { readFileSync } from 'node:fs';
import { json } from 'socket-singleton/codecs/json';
import { pipe } from 'socket-singleton/transports/pipe';
/** @type {import('socket-singleton').Codec<readonly string[], number | 'released'>} Files, or a word that no file has; the exit status. */
const codec = json();
const transport = pipe({ name: 'lintd', directory: process.env.LINTD_DIRECTORY });
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
export const shared = { transport, codec, version, deliveryTimeout: 60_000 };
