import { describe, expect, test } from 'vitest';
import { freePort, launch } from '../helpers/program.ts';
import { relay } from '../helpers/relay.ts';
import { expectNext, expectNothingTold, hosted, SECRET_ARG, secured } from '../helpers/structured.ts';

describe('a secret', () => {
  test('and what it guards are not seen by a relay, which passes on every byte', async () => {
    const port = await freePort();
    const host = await hosted(secured(port));
    const between = await relay(port);
    const sender = launch({ ...secured(between.port), steps: ['send'] }, SECRET_ARG);
    expect(await sender.line('sent')).toMatchObject({ outcome: 'delivered' });
    expect((await host.line('args'))['args']).toEqual([SECRET_ARG]);
    expect(between.seen().length).toBeGreaterThan(67);
    expectNothingTold(between.seen());
  });

  test('that a squatter does not know keeps the launch from it, although it speaks the conversation', async () => {
    const port = await freePort();
    const squatter = await hosted(secured(port, { secret: 'a guess of twenty bytes' }));

    const second = launch(secured(port), SECRET_ARG);

    expect(await second.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    expect((await second.exited()).code).toBe(1);
    expect(await squatter.line('verifyFailed')).toMatchObject({ reason: 'wrong-secret' });
    expect(squatter.all('client')).toEqual([]);
  });

  test.each([
    ['missing', { secret: undefined }, 'missing-secret'],
    ['wrong', { secret: 'another of twenty bytes' }, 'wrong-secret'],
  ])('that is %s is told on both sides', async (_, options, reason) => {
    const port = await freePort();
    const host = await hosted(secured(port));
    const second = launch(secured(port, options), SECRET_ARG);
    expect(await second.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    await second.exited();
    await host.line('verifyFailed');
    await expectNext(host, secured(port));
    expect(host.all('verifyFailed')).toMatchObject([{ reason }]);
  });

  test('that the host does not have is not given to it', async () => {
    const port = await freePort();
    const host = await hosted(secured(port, { secret: undefined }));
    const second = launch(secured(port), SECRET_ARG);
    expect(await second.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_VERIFICATION_FAILED' });
    await second.exited();
    expect(await host.line('verifyFailed')).toMatchObject({ reason: 'unexpected-secret' });
    expect(host.all('client')).toEqual([]);
  });
});
