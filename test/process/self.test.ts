import { expect, test } from 'vitest';
import { fixture, freePort, type Program, run } from '../helpers/program.ts';

function launch(port: number, ...args: readonly string[]): Program {
  return run(process.execPath, [fixture('self.js'), String(port), ...args]);
}

test('a program with self: true has one path for the first launch and later ones', async () => {
  const port = await freePort();
  const host = launch(port, 'exit', '3');
  await host.printed('exit of 0');
  const second = launch(port, 'exit', '4');
  expect(await second.exited()).toEqual({ code: 4, signal: null });
  expect(second.stdout).toBe('exit of 1\n');
  await launch(port, 'quit').exited();
  expect(await host.exited()).toEqual({ code: 3, signal: null });
  expect(host.stdout).toBe('exit of 0\n');
});

// Windows has no signals to send.
test.skipIf(process.platform === 'win32')('the own launch reads stdin and receives forwarded signals', async () => {
  const port = await freePort();
  const host = launch(port, 'signal');
  await host.printed('ready');
  host.signal('SIGINT');
  await host.printed('SIGINT');
  const second = launch(port, 'cat');
  second.endStdin('to the host');
  expect(await second.exited()).toEqual({ code: 0, signal: null });
  expect(second.stdout).toBe('cat of 1\nto the host\n');
  host.signal('SIGTERM');
  await host.exited();
});
