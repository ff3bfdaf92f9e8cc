import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { type Client, Singleton } from '../../src/index.ts';
import { portOf } from '../helpers/host.ts';
import { inheritedEnv } from '../helpers/program.ts';

const DIST = new URL('../../dist/', import.meta.url).href;
/** A strict launch that waits, and writes to stderr what is published of it. */
const LAUNCH = `
  import { subscribe } from 'node:diagnostics_channel';
  import { writeSync } from 'node:fs';
  import { Singleton } from '${DIST}index.js';
  import { json } from '${DIST}codecs/json.js';
  subscribe('socket-singleton:acquire', ({ endpoint, outcome, error }) => {
    writeSync(2, JSON.stringify({ endpoint, outcome, code: error?.code }) + '\\n');
  });
  await Singleton.acquire({ port: Number(process.env.PORT), codec: json(), args: null, wait: true });
`;

async function startHost(answer: (client: Client) => unknown): Promise<Singleton<unknown>> {
  const app = new Singleton({ port: 0, codec: json(), args: null });
  onTestFinished(() => app.release());
  app.on('args', (_, client) => answer(client));
  return app.acquire();
}

function launch(app: Singleton<unknown>) {
  const env = { ...inheritedEnv(), PORT: `${portOf(app)}` };
  const child = spawn(process.execPath, ['--input-type=module', '--eval', LAUNCH], { env });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, ended: Promise.all([once(child, 'close'), text(child.stderr)]) };
}

describe('the channel socket-singleton:acquire', () => {
  test('has the outcome of a strict launch before it exits', async () => {
    const app = await startHost((client) => client.exit(3));
    const [[code], stderr] = await launch(app).ended;
    expect(code).toBe(3);
    expect(stderr.trimEnd().split('\n').map(parse)).toEqual([{ endpoint: app.endpoint, outcome: 'delivered' }]);
  });

  test('has the error of a strict launch whose stdout is closed, before it exits', async () => {
    // What is left when the client has gone is not written.
    const app = await startHost(({ stdout }) => pipeline(Readable.from(endless()), stdout).catch(() => {}));
    const { child, ended } = launch(app);
    child.stdout.once('data', () => child.stdout.destroy());
    const [[code], stderr] = await ended;
    expect(code).toBe(141);
    const error = { endpoint: app.endpoint, code: 'ERR_SINGLETON_CONNECTION_FAILED' };
    expect(stderr.trimEnd().split('\n').map(parse)).toEqual([error]);
  });
});

function parse(line: string): unknown {
  return JSON.parse(line);
}

function* endless(): Generator<string> {
  for (;;) yield 'more\n'.repeat(10_000);
}
