import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeEtcd, type EtcdCluster, startEtcd } from '../helpers/etcd.ts';
import { Fleet, type FleetProgram, type OnFinished } from '../helpers/fleet.ts';

/** If a host with this TTL is followed at all, that is not because its lease has expired. */
const TEN_MINUTES = 600_000;
/** So short that a test can wait for its end, and so long that a host renews it in time although the machine is busy. */
const SHORT = 2000;

let cluster: EtcdCluster;

function fleetOf(ttl: number, onFinished: OnFinished): Fleet {
  return new Fleet({ endpoints: cluster.endpoints, ttl, onFinished });
}

describeEtcd('a fleet', () => {
  beforeAll(async () => {
    cluster = await startEtcd();
  });
  afterAll(() => cluster?.stop());

  it.concurrent('has one host of 12 launches at one instant and 11 receipts, also after a kill', async (context) => {
    const fleet = fleetOf(TEN_MINUTES, context.onTestFinished);
    const programs = await fleet.startAll(13);
    const first = await launchAll(programs.slice(0, 12), 'a');
    await first.host.program.kill();
    const rest = programs.filter((program) => program !== first.host);
    const second = await launchAll(rest, 'b');
    expect(second.token).toBeGreaterThan(first.token);
  });

  it.concurrent('has a next host at once after a kill, an exit and a release of the host', async (context) => {
    const fleet = fleetOf(TEN_MINUTES, context.onTestFinished);
    const programs = await fleet.startAll(4);
    const ways: readonly ((host: FleetProgram) => Promise<unknown>)[] = [
      ({ program }) => program.kill(),
      async (host) => {
        host.perform({ do: 'exit' });
        expect(await host.program.exited()).toEqual({ code: 0, signal: null });
      },
      async (host) => {
        host.perform({ do: 'release' });
        expect(await host.end()).toBe('manual');
      },
    ];
    const tokens: number[] = [];
    for (const [index, program] of programs.entries()) {
      expect(await program.launch('next')).toMatchObject({ is: 'host' });
      tokens.push(await program.claim());
      await ways[index]?.(program);
    }
    expect(tokens).toEqual([...new Set(tokens)].toSorted((one, other) => one - other));
  });

  it.concurrent('has a next host after the TTL if the host that was killed was on another machine', async (context) => {
    const fleet = fleetOf(SHORT, context.onTestFinished);
    const [host, next] = [await fleet.startHost(), await fleet.start()];
    await fleet.hideWitness();
    await host.program.kill();
    expect(await next.launch('a')).toMatchObject({ is: 'host' });
    expect(await next.claim()).toBeGreaterThan(await host.claim());
  });

  it.concurrent('loses its host when a person deletes the key', async (context) => {
    const fleet = fleetOf(TEN_MINUTES, context.onTestFinished);
    const [host, next] = [await fleet.startHost(), await fleet.start()];
    await fleet.call('/v3/kv/deleterange', {});
    expect(await host.end()).toBe('lost');
    expect(await next.launch('a')).toMatchObject({ is: 'host' });
    expect(await next.claim()).toBeGreaterThan(await host.claim());
  });

  it.concurrent('has one of three programs in standby as the next host after a kill', async (context) => {
    const fleet = fleetOf(SHORT, context.onTestFinished);
    const [host, ...waiting] = [await fleet.startHost(), ...(await fleet.startAll(3))];
    const followers = waiting.map(async (program) => {
      expect(await program.launch('standby', { standby: true })).toMatchObject({ is: 'host' });
      return program;
    });
    await Promise.all(waiting.map((program) => program.answer()));
    await host.program.kill();
    const first = await Promise.race(followers);
    const others = waiting.filter((program) => program !== first);
    expect(others.flatMap(({ program }) => program.all('claim'))).toEqual([]);
    first.perform({ do: 'release' });
    const second = await Promise.race(followers.filter((_, index) => waiting[index] !== first));
    expect(await first.end()).toBe('manual');
    expect(await second.claim()).toBeGreaterThan(await first.claim());
    await Promise.all(waiting.map(({ program }) => program.kill()));
    await Promise.allSettled(followers);
  });
});

/** Launches all at once. All receipts must be of the one host. */
async function launchAll(programs: readonly FleetProgram[], name: string) {
  const outcomes = await Promise.all(programs.map((program, index) => program.launch(`${name}${index}`)));
  const delivered = outcomes.filter(({ is }) => is === 'delivered').map(({ launch }) => launch);
  const host = programs[outcomes.findIndex(({ is }) => is === 'host')] ?? expect.fail(JSON.stringify(outcomes));
  const token = await host.claim();
  expect(outcomes.map((outcome) => outcome.token)).toEqual(Array(programs.length).fill(token));
  expect(delivered).toHaveLength(programs.length - 1);
  expect((await host.ran(delivered.length)).toSorted()).toEqual(delivered.toSorted());
  return { host, token };
}
