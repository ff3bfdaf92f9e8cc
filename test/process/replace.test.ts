import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ReplacerConfig } from '../fixtures/replacer.js';
import { fixture, freePort, type Program, run, waitUntil } from '../helpers/program.ts';
import { socketFolder } from '../helpers/socket-folder.ts';

type Endpoint = Omit<ReplacerConfig, 'version' | 'replace'>;

const NEWCOMERS = 8;
const ROUNDS = 3;
/** Ordinary launches that run at a time. */
const LAUNCHERS = 2;

const secret = 'correct-horse-battery-staple';

/** One launch, with an argument of its own. */
interface Launch {
  readonly id: string;
  readonly program: Program;
}

describe.each<[string, () => Promise<Endpoint>]>([
  ['tcp', async () => ({ port: await freePort() })],
  ['tcp with a secret', async () => ({ port: await freePort(), secret })],
  ['pipe', async () => ({ path: join(socketFolder(), 'socket') })],
])('8 newcomers at once, beside ordinary launches, over %s,', (_, createEndpoint) => {
  let endpoint: Endpoint;
  let launches: Launch[];

  beforeEach(async () => {
    endpoint = await createEndpoint();
    launches = [];
  });

  test(`replace a host of another version once, and no launch is lost, ${ROUNDS} times`, async () => {
    let host = await startHost('0');
    for (let round = 1; round <= ROUNDS; round += 1) {
      const version = `${round}`;
      const old = host;
      await race(version, 'other');
      expect((await old.program.exited()).code).toBe(0);
      expect(old.program.all('release')).toEqual([{ event: 'release', reason: 'replaced' }]);
      host = await theHost();
    }
    await expectEachOnce(host);
    expect(launches.flatMap(({ program }) => program.all('release'))).toHaveLength(ROUNDS + 1);
  });

  test(`replace hosts of the same version, and no launch is lost, ${ROUNDS} times`, async () => {
    let host = await startHost('0');
    for (let round = 1; round <= ROUNDS; round += 1) {
      const old = host;
      await race('0', 'always');
      expect((await old.program.exited()).code).toBe(0);
      host = await theHost();
    }
    await expectEachOnce(host);
  });

  test('find one host when the old one is killed while they replace it', async () => {
    const old = await startHost('0');
    await race('1', 'other', () => void old.program.kill());
    await old.program.exited();
    // Ordinary launches that were at the old host may have failed, as with any host that dies.
    await quit(await theHost());
    expect(countsOf(launches.filter(({ id }) => id.startsWith('newcomer')))).toEqual([]);
  });

  function start(id: string, config: Pick<ReplacerConfig, 'version' | 'replace'>): Launch {
    const name = `${id} ${randomUUID()}`;
    const args = [fixture('replacer.js'), JSON.stringify({ ...endpoint, ...config }), name];
    const launch = { id: name, program: run(process.execPath, args) };
    launches.push(launch);
    return launch;
  }

  async function startHost(version: string): Promise<Launch> {
    const host = start('host', { version, replace: 'never' });
    host.program.writeLine();
    await host.program.line('host');
    return host;
  }

  /** Lets newcomers acquire at one instant, and ordinary launches until all of them have settled. */
  async function race(version: string, replace: ReplacerConfig['replace'], act = (): void => {}): Promise<void> {
    const newcomers = Array.from({ length: NEWCOMERS }, (__, index) =>
      start(`newcomer ${index}`, { version, replace }),
    );
    await Promise.all(newcomers.map(({ program }) => program.line('ready')));
    const launchAll = async (): Promise<void> => {
      while (!newcomers.every(hasSettled)) {
        const launch = start('ordinary', { version, replace: 'never' });
        launch.program.writeLine();
        await settled(launch);
      }
    };
    const launchers = Array.from({ length: LAUNCHERS }, launchAll);
    for (const { program } of newcomers) program.writeLine();
    act();
    await Promise.all(newcomers.map(settled));
    await Promise.all(launchers);
  }

  /** The one that stays, once those that were replaced have been released. */
  async function theHost(): Promise<Launch> {
    await waitUntil('one host', async () => {
      await setImmediate();
      return launches.filter(isRunning).length === 1;
    });
    const host = launches.find(isRunning);
    if (!host) throw new Error('Expected a host; there is none.');
    return host;
  }

  async function quit({ program }: Launch): Promise<void> {
    program.writeLine();
    await program.exited();
  }

  async function expectEachOnce(host: Launch): Promise<void> {
    await quit(host);
    const exits = await Promise.all(launches.map(({ program }) => program.exited()));
    expect(exits.filter(({ code }) => code !== 0)).toEqual([]);
    expect(countsOf(launches)).toEqual([]);
    expect(launches.flatMap(({ program }) => program.all('host')).filter(({ mayHaveRun }) => mayHaveRun)).toEqual([]);
  }

  /** The launches that were not dispatched once, and are not those of a host. */
  function countsOf(checked: readonly Launch[]): readonly unknown[] {
    const dispatched = launches.flatMap(({ program }) => program.all('args').map(({ args }) => JSON.stringify(args)));
    return checked
      .map(({ id, program }) => ({
        id,
        count: dispatched.filter((args) => args === JSON.stringify([id])).length + program.all('host').length,
        stderr: program.stderr,
      }))
      .filter(({ count }) => count !== 1);
  }
});

function isRunning({ program }: Launch): boolean {
  return !program.hasExited && program.all('release').length === 0;
}

function hasSettled({ program }: Launch): boolean {
  return program.hasExited || program.all('host').length > 0;
}

/** It is host, or has exited. */
async function settled({ program }: Launch): Promise<void> {
  await Promise.race([program.line('host').catch(() => {}), program.exited()]);
}
