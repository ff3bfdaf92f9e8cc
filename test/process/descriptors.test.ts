import { describe, expect, test } from 'vitest';
import type { AppConfig } from '../fixtures/app.js';
import { Singleton } from '../../src/index.ts';
import { fixture, freePort, launch, type Program, run } from '../helpers/program.ts';

const BATCHES = 10;
const BATCH = 10;
/** Long enough for several attempts of each launch. */
const deliveryTimeout = 200;
/** The second one on a machine that is so slow that the time expires before the first attempt. */
const NOT_DELIVERED = expect.stringMatching(/^ERR_SINGLETON_(HOST_UNRESPONSIVE|ENDPOINT_UNAVAILABLE)$/);

// The limit is set by the shell.
describe.skipIf(process.platform === 'win32')('a host that has used up its file descriptors', () => {
  test('has no launch that ends as delivered without having run, and accepts launches again when it has some', async () => {
    const options = { port: await freePort() };
    const host = await startExhausted({ options, steps: ['acquire', 'exhaust'] });

    for (let batch = 0; batch < BATCHES; batch += 1) {
      const launches = Array.from({ length: BATCH }, () =>
        launch({ options: { ...options, deliveryTimeout } }, 'lost'),
      );
      for (const each of launches) {
        expect(await each.exited()).toEqual({ code: 1, signal: null });
        expect(each.lines).toMatchObject([{ code: NOT_DELIVERED }]);
      }
    }

    await host.line('warning', ({ message }) => String(message).includes('has used up the files'));
    host.writeLine();
    await host.line('recovered');
    expect(await Singleton.send({ ...options, args: ['taken'] })).toEqual({ outcome: 'unconfirmed' });
    await host.line('args');
    expect(host.all('args').map(({ args }) => args)).toEqual([['taken']]);
  });
});

/** A host that may open 64 descriptors, and has opened all of them. */
async function startExhausted(config: AppConfig): Promise<Program> {
  const command = 'ulimit -n 64 && exec "$0" "$@"';
  const host = run('sh', ['-c', command, process.execPath, fixture('app.js')], { APP: JSON.stringify(config) });
  await host.line('exhausted');
  return host;
}
