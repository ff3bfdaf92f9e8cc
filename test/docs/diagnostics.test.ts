import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { LinkedFolder } from '../helpers/linked-folder.ts';
import { snippetWith } from '../helpers/snippets.ts';

const PROGRAM = `
import { Singleton } from 'socket-singleton';
const app = await Singleton.acquire({ port: 0, secret: 'sesame' });
app.on('args', () => {});
const port = Number(new URL(app.endpoint).port);
await Singleton.send({ port, secret: 'sesame', args: ['a'] });
await Singleton.send({ port, secret: 'guess', args: ['b'] });
await app.release();
`;

test('the block about diagnostics channels in docs/api.md logs every launch and every refused client', async () => {
  const folder = new LinkedFolder();
  onTestFinished(() => folder.remove());
  const file = folder.write('audit', `${snippetWith('docs/api.md', 'diagnostics_channel')}${PROGRAM}`);
  const { stdout } = await promisify(execFile)(process.execPath, [file]);
  const lines = stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/^dispatch {"endpoint":"tcp:.*","args":\["a"\],"client":{"number":1,.*}}$/);
  expect(lines[1]).toMatch(/^verifyFailed {"endpoint":"tcp:.*","failure":{"reason":"wrong-secret",.*"count":1,.*}}$/);
});
