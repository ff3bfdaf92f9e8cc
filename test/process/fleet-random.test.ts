import { expect, it } from 'vitest';
import { describeEtcd, startEtcd } from '../helpers/etcd.ts';
import { drawFaults } from '../helpers/fleet-faults.ts';
import { faultsOf, type FleetEvent } from '../helpers/fleet-history.ts';
import { FleetTrial } from '../helpers/fleet-trial.ts';
import type { OnFinished } from '../helpers/fleet.ts';
import { buildMutant } from '../helpers/mutant.ts';

/** Short, so that many faults outlast it. etcd counts in seconds. */
const TTL = 1000;
const ATTEMPTS = 4;

const isLong = process.env['FLEET_SECONDS'] !== undefined;
const seconds = Number(process.env['FLEET_SECONDS'] ?? 18);
const seed = Number(process.env['FLEET_SEED'] ?? Math.trunc(Math.random() * 2 ** 31));

async function runTrial(onFinished: OnFinished, trial: { seed: number; seconds: number; dist?: string }) {
  console.log(`Faults of a fleet: ${trial.seconds} s with seed ${trial.seed}; to replay: FLEET_SEED=${trial.seed}`);
  const cluster = await startEtcd();
  onFinished(() => cluster.stop());
  const faults = drawFaults(trial.seed, trial.seconds * 1000, TTL);
  const events = await new FleetTrial({ cluster, ttl: TTL, onFinished, ...trial }).run(faults);
  console.log(`${faults.length} faults; ${count(events, 'claim')} hosts, ${count(events, 'receipt')} receipts.`);
  return faultsOf(events);
}

function count(events: readonly FleetEvent[], kind: FleetEvent['kind']): number {
  return events.filter((event) => event.kind === kind).length;
}

describeEtcd('a fleet in which faults are drawn', () => {
  it('breaks no rule', { timeout: (seconds + 100) * 1000 }, async ({ onTestFinished }) => {
    expect(await runTrial(onTestFinished, { seed, seconds })).toEqual([]);
  });

  it.runIf(isLong)(
    'is seen to break one if hosts believe in their lease for too long',
    {
      timeout: ATTEMPTS * 140_000,
    },
    async ({ onTestFinished }) => {
      const dist = buildMutant('twice', onTestFinished);
      let found: string[] = [];
      for (let attempt = 1; attempt <= ATTEMPTS && found.length === 0; attempt += 1) {
        found = await runTrial(onTestFinished, { seed: seed + attempt, seconds: 40, dist });
        console.log(`Attempt ${attempt}: ${found.length} faults found. ${found[0] ?? ''}`);
      }
      expect(found).not.toEqual([]);
    },
  );
});
