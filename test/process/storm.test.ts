import { describe, expect, test } from 'vitest';
import { freePort } from '../helpers/program.ts';
import { exitsOf, startRacers, secret } from '../helpers/structured.ts';

describe('16 processes that acquire at the same instant over msgpack with a secret', () => {
  const COUNT = 16;

  test.each([1, 2, 3, 4, 5])('have one host, 15 receipts and 15 launches, round %i', async () => {
    const options = { port: await freePort(), secret, strict: false };
    const racers = await startRacers(COUNT, { codec: 'msgpack', options });

    for (const racer of racers) racer.writeLine();

    const host = await Promise.any(racers.map(async (racer) => racer.line('host').then(() => racer)));
    const clients = racers.filter((racer) => racer !== host);
    const receipts = await Promise.all(clients.map((client) => client.line('rejected')));
    expect(receipts.map(({ receipt }) => receipt)).toMatchObject(
      clients.map(() => ({ outcome: 'delivered', host: { pid: host.pid } })),
    );
    await exitsOf(clients);
    await host.line('args', ({ number }) => number === COUNT - 1);
    const expected = racers.flatMap((racer, index) => (racer === host ? [] : [`launch ${index}`]));
    const received = host.all('args').flatMap(({ args }) => args);
    expect(received).toHaveLength(expected.length);
    expect(new Set(received)).toEqual(new Set(expected));
    expect([...host.all('warning'), ...host.all('verifyFailed')]).toEqual([]);
  });
});
