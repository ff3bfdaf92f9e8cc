import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { messageOf } from '../../src/interface/errors.ts';
import { fixture, type Program, run } from '../helpers/program.ts';
import { fetchRuntime } from '../helpers/runtimes.ts';

const COUNT = 12;
const ROUNDS = 50;

describe('12 processes at a pipe whose host was killed', () => {
  const OTHER = process.versions.node.startsWith('24.') ? 'Node 20' : 'Node 24';

  test(`have one host and 11 deliveries, 50 times, also if every other one runs on ${OTHER}`, async () => {
    const other = await fetchRuntime(OTHER).catch((error: unknown) => {
      console.warn(`NOT TESTED: ${OTHER} beside ${process.version}. ${messageOf(error)}`);
    });
    await storm(other ? [process.execPath, other.program] : [process.execPath]);
  });
});

/**
 * The processes run from round to round, except the host: it is killed, so that its socket file is stale, and another
 * process is started for it.
 */
async function storm(nodes: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'socket-singleton-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'app.sock');
  let started = 0;
  const start = (): Program => run(nodes[started++ % nodes.length] ?? '', [fixture('racer.js'), path]);
  const racers = Array.from({ length: COUNT }, start);
  let host = start();
  host.writeLine('[]');
  await host.line('acquired');

  for (let round = 1; round <= ROUNDS; round++) {
    await host.kill();
    expect(await readdir(folder)).toEqual(['app.sock']);
    host = await race(racers, round);
    expect(await readdir(folder)).toEqual(['app.sock']);
    racers[racers.indexOf(host)] = start();
  }
}

/** Lets all acquire at one instant. Returns the host, once it has received the launches of all others. */
async function race(racers: readonly Program[], round: number): Promise<Program> {
  const launches = racers.map((racer, index) => ({
    racer,
    line: JSON.stringify([`round ${round}`, `racer ${index}`]),
  }));
  for (const { racer, line } of launches) racer.writeLine(line);
  const outcomes = await Promise.all(
    launches.map(async ({ racer, line }) => {
      const { outcome } = await racer.line('acquired', (acquired) => acquired['for'] === line);
      return { racer, line, outcome };
    }),
  );
  const others = outcomes.filter(({ outcome }) => outcome === 'unconfirmed');
  const [host, ...more] = outcomes.filter(({ outcome }) => outcome === 'host');
  expect(more).toEqual([]);
  if (!host) throw new Error(`Expected a host; there is none: ${JSON.stringify(outcomes)}`);
  expect(others).toHaveLength(COUNT - 1);
  const received = host.racer.all('args').map(({ args }) => JSON.stringify(args));
  expect(received).toHaveLength(others.length);
  expect(new Set(received)).toEqual(new Set(others.map(({ line }) => line)));
  expect(host.racer.all('warning')).toEqual([]);
  return host.racer;
}
