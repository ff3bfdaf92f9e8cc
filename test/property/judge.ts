import type { Receipt } from '../../src/index.ts';
import {
  DELIVERY_TIMEOUT,
  type Launch,
  type Program,
  RECEIVE_TIMEOUT,
  RELEASE_TIME,
  type Work,
} from './launch-model.ts';

/** What is known of a run. */
export interface Facts {
  readonly programs: readonly Program[];
  readonly hasReceipts: boolean;
  readonly hasCrashed: boolean;
  /** Whether no queue can have been full. */
  readonly hasRoom: boolean;
  /** 0: never. */
  readonly idleTimeout: number;
}

/** The codes after which a launch may have been dispatched: see docs/api.md. */
const MAY_HAVE_RUN: ReadonlySet<string> = new Set([
  'ERR_SINGLETON_CONNECTION_FAILED',
  'ERR_SINGLETON_HOST_UNRESPONSIVE',
  'ERR_SINGLETON_RELEASED',
  'ERR_SINGLETON_LISTENER_FAILED',
]);

/** What does not hold for a launch that has ended. */
export function judge(launch: Launch, facts: Facts): readonly string[] {
  const faults: string[] = [];
  const must = (condition: boolean, fault: string): void => {
    if (!condition) faults.push(`${launch.name} ${fault}`);
  };
  const own = facts.programs.find((program) => program.launch === launch);
  const others = launch.works.filter(({ host }) => host !== own);
  // Over legacy() a launch is sent again if the host was killed before it ended the connection: it may run again.
  const works = facts.hasReceipts ? others : others.filter(({ host }) => !host.isDead);
  const { outcome } = launch;
  must(works.length <= 1, 'was dispatched twice');
  if (own?.isStandby) must(launch.works.length === 0, 'was delivered from standby');
  if (outcome === undefined) must(own?.isStandby === true, 'has not ended');
  else if (outcome === 'host') {
    must(works.length === 0 || own?.app.mayHaveRun === true, 'became the host after it was dispatched');
    must(!own?.app.mayHaveRun || isExcused(launch, facts), 'may have run, though no connection failed');
    if (own?.isSelf && !own.isDead) {
      const expected = own.app.mayHaveRun ? 0 : 1;
      must(launch.works.length === others.length + expected, `was not dispatched to itself ${expected} times`);
    }
  } else if (outcome === 'died') must(own?.isDead === true, 'is dead');
  else if ('outcome' in outcome) judgeReceipt(outcome, launch, works, facts, must);
  else judgeError(outcome.code, launch, works, facts, must);
  return faults;
}

type Must = (condition: boolean, fault: string) => void;

function judgeReceipt(receipt: Receipt, launch: Launch, works: readonly Work[], facts: Facts, must: Must): void {
  const [work] = works;
  const { hasReceipts, hasCrashed, hasRoom, programs } = facts;
  must(receipt.outcome === (hasReceipts ? 'delivered' : 'unconfirmed'), `has the outcome ${receipt.outcome}`);
  if (!hasReceipts) return must(works.length === 1 || hasCrashed || !hasRoom, 'was lost');
  const giver = programs.find(({ name }) => name === receipt.host?.version);
  must(giver !== undefined && (work === undefined || work.host === giver), 'has the receipt of another host');
  // What waits in the queue of a host is lost with it.
  must(works.length === 1 || giver?.isDead === true, 'has a receipt and was lost');
  if (!launch.isWaiting) return undefined;
  must(work?.endedAt !== undefined && !work.hasFailed, 'has a result without work');
  return must(receipt.reply === `${launch.name} by ${giver?.name}`, `has the reply ${String(receipt.reply)}`);
}

function judgeError(code: string, launch: Launch, works: readonly Work[], facts: Facts, must: Must): void {
  const own = facts.programs.find((program) => program.launch === launch);
  const [work] = works;
  const { endedAt, startedAt, isWaiting } = launch;
  must(works.length === 0 || MAY_HAVE_RUN.has(code), `failed with ${code} and was dispatched`);
  switch (code) {
    case 'ERR_SINGLETON_NO_HOST':
      return must(launch.wasEndpointFree && own === undefined, 'found no host, though there was one');
    case 'ERR_SINGLETON_BUSY':
      return must(!facts.hasRoom, 'was refused, though there was room');
    case 'ERR_SINGLETON_HOST_UNRESPONSIVE':
    case 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE':
      return must(endedAt >= startedAt + DELIVERY_TIMEOUT && !own?.isStandby, 'gave up early');
    case 'ERR_SINGLETON_CONNECTION_FAILED':
      return must(isExcused(launch, facts), 'lost its connection');
    case 'ERR_SINGLETON_LISTENER_FAILED':
      return must(isWaiting && work?.hasFailed === true, 'failed, though no listener did');
    case 'ERR_SINGLETON_RELEASED': {
      if (launch.controller.signal.aborted || (own && own.releasedAt < Infinity)) return undefined;
      must(isWaiting && launch.counts.some(({ cutsAt }) => cutsAt <= endedAt), 'was cut off early');
      return must(!work || (work.endedAt ?? Infinity) >= work.host.cutsAt, 'lost its result');
    }
    default:
      return must(false, `failed with ${code}`);
  }
}

/** Whether a connection may have failed: it was cut, a host was killed, or a host closed it because it was too slow. */
function isExcused({ startedAt, endedAt, counts, isCut }: Launch, { hasCrashed, programs }: Facts): boolean {
  if (isCut || hasCrashed) return true;
  const isDuring = (time: number): boolean => startedAt <= time && time <= endedAt;
  if (counts.length > 0) return counts.some(({ cutsAt }) => isDuring(cutsAt));
  const ends = programs.map(({ releasedAt }) => releasedAt + RELEASE_TIME);
  return [startedAt + RECEIVE_TIMEOUT, ...ends].some(isDuring);
}

/** What does not hold for a release that is complete. It is judged at once, because `wasBusy` is that before the step. */
export function judgeRelease(program: Program, { idleTimeout }: Pick<Facts, 'idleTimeout'>): readonly string[] {
  const { reasons, expectedReason = 'idle', releasedAt, activeAt, wasBusy, receivesUntil } = program;
  const [reason] = reasons;
  const faults: string[] = [];
  if (reasons.length !== 1) faults.push(`was released ${reasons.length} times`);
  if (reason !== expectedReason) faults.push(`was released with the reason ${reason}, not ${expectedReason}`);
  if (reason === 'idle') {
    if (idleTimeout === 0) faults.push('has no idleTimeout');
    if (wasBusy || releasedAt < receivesUntil) faults.push('was released as idle while it had work');
    if (releasedAt < activeAt + idleTimeout) faults.push('was released as idle too early');
  }
  return faults.map((fault) => `${program.name} ${fault}`);
}
