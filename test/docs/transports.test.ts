import { execFile, type ExecFileException } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import type { Transport } from '../../src/index.ts';
import { guarantees } from '../../src/transports/compliance.ts';
import { freePort } from '../helpers/program.ts';
import { LinkedFolder } from '../helpers/linked-folder.ts';
import { snippetWith } from '../helpers/snippets.ts';

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
