/** What has happened in a fleet. Times are milliseconds of one clock for all processes. */
export type FleetEvent = { readonly at: number } & (
  | OfHost<'claim'>
  | OfHost<'held'>
  | OfHost<'release'>
  | { readonly kind: 'run'; readonly process: string; readonly token: number; readonly launch: string }
  | { readonly kind: 'end'; readonly process: string; readonly token: number; readonly reason: string }
  | { readonly kind: 'killed'; readonly process: string }
  | { readonly kind: 'receipt'; readonly launch: string; readonly token: number }
  | { readonly kind: 'failed'; readonly launch: string; readonly code: string }
  /** The last fault is over. */
  | { readonly kind: 'calm' }
);

/** It has got the lease, still believes in it, or begins to give it back. */
interface OfHost<Kind> {
  readonly kind: Kind;
  readonly process: string;
  readonly token: number;
}

type EventOf<Kind> = Extract<FleetEvent, { readonly kind: Kind }>;

/** Those of docs/api.md that a launch may fail with because of a host, an engine or a network that fails. */
const CODES: ReadonlySet<string> = new Set([
  'ERR_SINGLETON_CONNECTION_FAILED',
  'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
  'ERR_SINGLETON_HOST_UNRESPONSIVE',
  'ERR_SINGLETON_RELEASED',
]);

/** Returns which rules of a fleet the events break, as sentences. The events may be in any order. */
export function faultsOf(events: readonly FleetEvent[]): string[] {
  const history = new History(events);
  return [
    ...history.tokensThatDoNotGrow(),
    ...history.overlaps(),
    ...history.secondRuns(),
    ...history.receiptsWithoutRun(),
    ...history.unexpectedFailures(),
    ...history.standstill(),
  ];
}

class History {
  readonly #events: readonly FleetEvent[];
  readonly #claims: readonly EventOf<'claim'>[];

  constructor(events: readonly FleetEvent[]) {
    this.#events = events.toSorted((one, other) => one.at - other.at);
    this.#claims = this.#all('claim');
  }

  /** Of two hosts, the one that has the lease later has the larger token. */
  *tokensThatDoNotGrow(): Iterable<string> {
    for (const [index, claim] of this.#claims.entries()) {
      const before = this.#claims[index - 1];
      if (before && before.token >= claim.token) yield `${name(claim)} has the lease after ${name(before)}`;
    }
  }

  /**
   * No host believes in its lease, or runs a launch, after the next one has the lease. One that has released it itself still runs
   * what it has confirmed.
   */
  *overlaps(): Iterable<string> {
    for (const event of this.#all('held', 'run')) {
      const next = this.#claims.find(({ at, token }) => at < event.at && token > event.token);
      if (!next || (event.kind === 'run' && this.#hasReleased(event))) continue;
      const what = event.kind === 'run' ? `runs ${event.launch}` : 'believes in its lease';
      yield `${name(event)} ${what} ${Math.ceil(event.at - next.at)} ms after ${name(next)} has the lease`;
    }
  }

  *secondRuns(): Iterable<string> {
    const runs = new Map<string, EventOf<'run'>>();
    for (const run of this.#all('run')) {
      const first = runs.get(run.launch);
      if (first) yield `${run.launch} runs in ${name(first)} and in ${name(run)}`;
      runs.set(run.launch, run);
    }
  }

  /** What a host has confirmed it runs, also after a release, unless it is killed or has lost the lease before. */
  *receiptsWithoutRun(): Iterable<string> {
    for (const { launch, token } of this.#all('receipt')) {
      const host = this.#claims.find((claim) => claim.token === token);
      const hasRun = this.#all('run').some((run) => run.launch === launch && run.token === token);
      const isExcused = host && (this.#wasKilled(host.process) || this.#hasLost(token));
      if (!host) yield `${launch} has a receipt of a host with the token ${token}, which there is not`;
      else if (!hasRun && !isExcused) yield `${launch} has a receipt of ${name(host)}, which has not run it`;
    }
  }

  *unexpectedFailures(): Iterable<string> {
    for (const { launch, code } of this.#all('failed')) {
      if (!CODES.has(code)) yield `${launch} has failed with ${code}`;
    }
  }

  /** When all is well again, launches are delivered. */
  *standstill(): Iterable<string> {
    const [calm] = this.#all('calm');
    if (calm && !this.#all('receipt').some(({ at }) => at > calm.at)) yield 'nothing is served after the last fault';
  }

  #hasReleased({ token, at }: EventOf<'run'>): boolean {
    return this.#all('release').some((release) => release.token === token && release.at < at);
  }

  #wasKilled(process: string): boolean {
    return this.#all('killed').some((killed) => killed.process === process);
  }

  #hasLost(token: number): boolean {
    return this.#all('end').some((end) => end.token === token && end.reason === 'lost');
  }

  #all<Kind extends FleetEvent['kind']>(...kinds: readonly Kind[]): EventOf<Kind>[] {
    const isOne = (event: FleetEvent): event is EventOf<Kind> => kinds.some((kind) => kind === event.kind);
    return this.#events.filter(isOne);
  }
}

function name({ process, token }: { readonly process: string; readonly token: number }): string {
  return `${process} (token ${token})`;
}
