import { execFile, type ExecFileException } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import type { Transport } from '../../src/index.ts';
import { guarantees } from '../../src/transports/compliance.ts';
import { fixture, freePort, run } from '../helpers/program.ts';
import { LinkedFolder } from '../helpers/linked-folder.ts';
import { python } from '../helpers/python.ts';
import { readSnippets, snippetWith } from '../helpers/snippets.ts';

const execute = promisify(execFile);
const folder = new LinkedFolder();
afterAll(() => folder.remove());

describe('the transport of docs/writing-a-transport.md', () => {
  const capabilities = { reset: true, resources: { listener: 'TCPServerWrap', connection: 'TCPSocketWrap' } };

  for (const { title, check } of guarantees({ create: createDocumentTransports, capabilities })) test(title, check);
});

describe('the block about memory() in docs/transports.md', () => {
  test('does what its comments say', async () => {
    const block = snippetWith('docs/transports.md', 'transports/memory');
    const { stdout, stderr } = await execute(process.execPath, [folder.write('memory', block)]);
    expect(stdout).toBe('lost\n');
    expect(stderr).toContain('ERR_SINGLETON_HOST_UNRESPONSIVE');
  });
});

describe('the blocks about systemd() in docs/transports.md', () => {
  const block = snippetWith('docs/transports.md', 'systemd(');
  const units = readSnippets().filter(({ language }) => language === 'ini');

  test('are units in whose form systemd reads them, with the endpoint of the program', () => {
    const lines = units.flatMap(({ text }) => text.trimEnd().split('\n'));
    expect(lines.filter((line) => !/^(\[(Socket|Service|Install)\]|[A-Z]\w+=\S.*|)$/.test(line))).toEqual([]);
    const [port] = /port: \d+/.exec(block) ?? [];
    expect(lines).toContain(`ListenStream=127.0.0.1:${port?.replace('port: ', '')}`);
  });

  test.skipIf(python === undefined || process.platform !== 'linux')('are a program that a launch starts', async () => {
    const port = await freePort();
    const report = `app.on('args', (args) => console.log(JSON.stringify({ event: 'args', args })));\n`;
    const file = folder.write('systemd', `${block.replace('21337', `${port}`)}${report}`);
    const unit = run(String(python), [
      fixture('activate.py'),
      JSON.stringify([{ name: 'acme.socket', port }]),
      process.execPath,
      file,
    ]);
    await unit.line('listening');
    expect((await run(process.execPath, [file, 'hello']).exited()).code).toBe(0);
    await unit.line('args');
    expect(unit.stdout).toContain("[ 'hello' ]\n");
  });
});

describe('the block about the compliance suite in docs/writing-a-transport.md', () => {
  test('runs it', async () => {
    const block = snippetWith('docs/writing-a-transport.md', 'guarantees(');
    // It rejects if a check fails; its output says which one.
    const { stdout = '' } = await execute(process.execPath, [
      '--test-reporter=tap',
      folder.write('suite', block),
    ]).catch((error: ExecFileException) => error);
    expect(stdout).not.toMatch(/^not ok/m);
    expect(stdout).toMatch(/^# pass 2\d$/m);
  });
});

async function createDocumentTransports(): Promise<[Transport, Transport]> {
  const file = folder.write('transport', snippetWith('docs/writing-a-transport.md', 'localPort('));
  const { localPort }: Example = await import(pathToFileURL(file).href);
  const port = await freePort();
  return [localPort(port), localPort(port)];
}

interface Example {
  readonly localPort: (port: number) => Transport;
}
