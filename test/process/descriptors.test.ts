import { describe, expect, test } from 'vitest';
import type { AppConfig } from '../fixtures/app.js';
import { type Receipt, Singleton } from '../../src/index.ts';
import { fixture, freePort, launch, type Program, run } from '../helpers/program.ts';

const LAUNCHES = 100;
/** Long enough for several attempts of each launch. */
const deliveryTimeout = 200;

// The limit is set by the shell.
describe.skipIf(process.platform === 'win32')('a host that has used up its file descriptors', () => {
  test('has no launch that ends as delivered without having run, and accepts launches again when it has some', async () => {
    const options = { port: await freePort() };
    const host = await startExhausted({ options, steps: ['acquire', 'exhaust'] });

    const send = (_: unknown, number: number): Promise<Receipt> =>
      Singleton.send({ ...options, args: [`lost ${number}`], deliveryTimeout });
    const outcomes = await Promise.allSettled(Array.from({ length: LAUNCHES }, send));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toEqual([]);
    const second = launch({ options: { ...options, deliveryTimeout } }, 'lost');
    expect(await second.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_HOST_UNRESPONSIVE' });
    expect((await second.exited()).code).toBe(1);

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
