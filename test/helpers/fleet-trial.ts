import { setTimeout } from 'node:timers/promises';
import type { EtcdCluster } from './etcd.ts';
import { type Fault, generator, isLasting } from './fleet-faults.ts';
import type { FleetEvent } from './fleet-history.ts';
import { Fleet, type FleetProgram, type OnFinished } from './fleet.ts';
import { Network } from './network.ts';
import type { Line } from './program.ts';

/** How many programs there are. */
const PROGRAMS = 4;
/** Milliseconds between two launches, on average. */
const INTERVAL = 80;
/** Milliseconds that a host needs for a launch, so that some wait. */
const WORK = 20;
/** Milliseconds between two times at which a host reports whether it believes in its lease. */
const SAMPLE = 25;
/** Milliseconds after which a launch fails. */
const DELIVERY_TIMEOUT = 5000;

export interface TrialOptions {
  readonly cluster: EtcdCluster;
  readonly ttl: number;
  readonly seed: number;
  readonly onFinished: OnFinished;
  /** The build, if it is another one. */
  readonly dist?: string | undefined;
}

interface Node {
  readonly name: string;
  readonly program: FleetProgram;
  readonly network: Network;
  readonly launches: string[];
}

/** A fleet that is disturbed while programs launch. It records what has happened. */
export class FleetTrial {
  readonly #options: TrialOptions;
  readonly #fleet: Fleet;
  readonly #nodes: Node[] = [];
  readonly #events: FleetEvent[] = [];
  /** Not that of the faults, so that a seed replays these whatever the traffic does. */
  readonly #random: () => number;
  #launches = 0;

  constructor(options: TrialOptions) {
    this.#options = options;
    const { cluster, ttl, seed, dist, onFinished } = options;
    this.#random = generator(~seed);
    this.#fleet = new Fleet({ endpoints: cluster.endpoints, ttl, dist, onFinished, work: WORK, sample: SAMPLE });
  }

  /** Performs the faults one after the other. Resolves to the history. */
  async run(faults: readonly Fault[]): Promise<FleetEvent[]> {
    await Promise.all(Array.from({ length: PROGRAMS }, () => this.#add()));
    const traffic = new AbortController();
    const sending = this.#sendUntil(traffic.signal);
    for (const fault of faults) {
      await this.#perform(fault);
      await setTimeout(fault.pause);
    }
    traffic.abort();
    await sending;
    await this.#comeToRest();
    this.#expectNoCrash();
    return [
      ...this.#events,
      ...this.#nodes.flatMap((node) => node.program.program.lines.flatMap((line) => eventOf(node, line))),
    ];
  }

  async #add(): Promise<void> {
    const { cluster, onFinished } = this.#options;
    const name = `program ${this.#nodes.length}`;
    const network = await Network.start(Number(new URL(cluster.endpoints[0] ?? '').port), onFinished);
    const program = await this.#fleet.start({ endpoints: [`http://127.0.0.1:${network.port}`] });
    this.#nodes.push({ name, program, network, launches: [] });
  }

  get #alive(): Node[] {
    return this.#nodes.filter(({ program }) => !program.program.hasExited);
  }

  /** The one that has got the lease last, unless it has ended. */
  get #host(): Node | undefined {
    const tokenOf = ({ program }: Node): number => Number(program.program.all('claim').at(-1)?.['token'] ?? 0);
    const last = this.#alive.toSorted((one, other) => tokenOf(other) - tokenOf(one))[0];
    const hasEnded = last?.program.program.all('end').some(({ token }) => token === tokenOf(last));
    return last && tokenOf(last) > 0 && !hasEnded ? last : undefined;
  }

  async #sendUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const node = this.#pick(this.#alive);
      if (node) this.#launch(node, { wait: this.#random() < 0.2 });
      await setTimeout(2 * INTERVAL * this.#random());
    }
  }

  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }

  #launch({ program, launches }: Node, options: { readonly wait: boolean }): string {
    const launch = `launch ${(this.#launches += 1)}`;
    launches.push(launch);
    program.perform({ do: 'launch', launch, deliveryTimeout: DELIVERY_TIMEOUT, ...options });
    return launch;
  }

  async #perform(fault: Fault): Promise<void> {
    const alive = this.#alive;
    const victim = (fault.isOfHost && this.#host) || alive[fault.program % alive.length];
    if (!victim) return;
    const end = await this.#beginnings(victim)[fault.kind]();
    if (isLasting(fault)) await setTimeout(fault.lasts);
    await end();
  }

  /** How each fault begins. Returns what ends it. */
  #beginnings({ name, program, network }: Node): Record<Fault['kind'], () => Promise<() => unknown>> {
    const [member] = this.#options.cluster.members;
    return {
      kill: async () => {
        this.#events.push({ kind: 'killed', at: now(), process: name });
        await program.program.kill();
        return () => this.#add();
      },
      release: async () => {
        program.perform({ do: 'release' });
        return () => {};
      },
      stop: async () => {
        await program.program.freeze();
        return () => program.program.signal('SIGCONT');
      },
      cut: async () => {
        network.cut();
        return () => network.restore();
      },
      'stop etcd': async () => {
        await member?.program.freeze();
        return () => member?.program.signal('SIGCONT');
      },
      'kill etcd': async () => {
        await member?.program.kill();
        return () => member?.restart();
      },
    };
  }

  /** A program ends only if it is killed. */
  #expectNoCrash(): void {
    const killed = new Set(this.#events.flatMap((event) => (event.kind === 'killed' ? [event.process] : [])));
    for (const { name, program } of this.#nodes) {
      if (program.program.hasExited && !killed.has(name))
        throw new Error(`${name} has ended. ${program.program.stderr}`);
    }
  }

  /** Until each launch has ended, a further one was served, and the host has run what it has confirmed. */
  async #comeToRest(): Promise<void> {
    this.#events.push({ kind: 'calm', at: now() });
    const alive = this.#alive;
    for (const node of alive) this.#launch(node, { wait: true });
    for (const { program, launches } of alive) {
      for (const launch of launches) await program.program.line('outcome', (line) => line['launch'] === launch);
    }
    const host = this.#host;
    // Launches that do not wait may still be in its queue.
    host?.program.perform({ do: 'release', drain: true });
    await host?.program.program.line(
      'end',
      ({ token }) => token === host.program.program.all('claim').at(-1)?.['token'],
    );
  }
}

function eventOf({ name }: Node, line: Line): FleetEvent[] {
  const at = Number(line['at']);
  const token = Number(line['token']);
  const launch = String(line['launch']);
  switch (line['event']) {
    case 'claim':
    case 'held':
    case 'release':
      return [{ kind: line['event'], at, process: name, token }];
    case 'run':
      return [{ kind: 'run', at, process: name, token, launch }];
    case 'end':
      return [{ kind: 'end', at, process: name, token, reason: String(line['reason']) }];
    case 'outcome':
      if (line['is'] === 'host') return [];
      if (line['is'] === 'failed') return [{ kind: 'failed', at, launch, code: String(line['code']) }];
      return [{ kind: 'receipt', at, launch, token }];
    default:
      return [];
  }
}

/** As in `test/fixtures/fleet.js`. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
