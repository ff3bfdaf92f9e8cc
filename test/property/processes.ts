import { Readable, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Scheduler } from 'fast-check';
import { vi } from 'vitest';
import { type Client, type SendOptions, Singleton, type Transport } from '../../src/index.ts';
import { memory, type MemoryNetwork } from '../../src/transports/memory.ts';
import { type Action, IDLE_TURNS, type Rules } from './arbitraries.ts';
import { type Facts, judge, judgeRelease } from './judge.ts';
import { FLUSH_TIME, Launch, Program, type Work } from './launch-model.ts';

const ENDPOINT = 'the endpoint';
/** A run that has more steps does not come to rest. */
const MAX_STEPS = 3000;

/**
 * Programs at one endpoint of a memory network, each with a Singleton of its own. The scheduler chooses the order of the actions
 * and of the steps of the network. Time passes by actions only, and when nothing else is left to do.
 */
export class Processes {
  readonly #scheduler: Scheduler;
  /** The options that host and client share. */
  readonly #shared: SendOptions;
  readonly #rules: Rules;
  readonly #network: MemoryNetwork;
  readonly #programs: Program[] = [];
  readonly #launches: Launch[] = [];
  readonly #works: Work[] = [];
  readonly #faults: unknown[] = [];
  /** The program that has bound the endpoint. It is the host soon. */
  #holder: Program | undefined;
  /** Connections to come that will be cut. */
  #cuts = 0;
  #connections = 0;
  #hasCrashed = false;
  #steps = 0;
  #hasTimePassed = false;
  #stalledUntil = 0;

  constructor(scheduler: Scheduler, shared: SendOptions, rules: Rules) {
    this.#scheduler = scheduler;
    this.#shared = shared;
    this.#rules = rules;
    this.#network = memory({ schedule: (what) => scheduler.schedule(Promise.resolve(), what) });
    let draws = 0;
    vi.spyOn(Math, 'random').mockImplementation(() => rules.jitter[draws++ % rules.jitter.length] ?? 0);
  }

  /** Performs the actions, waits until all launches have ended, and then ends one host after the other. */
  async run(actions: readonly Action[]): Promise<void> {
    this.#acquire({ wait: false, self: false, standby: false });
    await this.#until(() => this.#host !== undefined);
    let isPerformed = false;
    this.#performAll(actions)
      .catch((error: unknown) => this.#faults.push(error))
      .finally(() => (isPerformed = true));
    await this.#until(() => isPerformed);
    await this.#settle();
    this.#judge();
    for (let host = this.#host; host; host = this.#host) await this.#end(host);
    if (this.#holder) this.#fault(`${this.#holder.name} holds the endpoint and is not the host`);
    this.#judge();
  }

  /** Ends what a run that failed has left. */
  dispose(): void {
    for (const { controller } of this.#launches) controller.abort();
    for (const { app } of this.#programs) void app.release();
    vi.clearAllTimers();
  }

  /** In one of three ways. A program in standby follows. */
  async #end(host: Program): Promise<void> {
    const way = this.#programs.indexOf(host) % 3;
    if (way === 0) this.#crash();
    else if (way === 1 || this.#rules.idleTimeout === 0) this.#release(host, true);
    await this.#until(() => !host.isHost);
    await this.#settle();
  }

  get #host(): Program | undefined {
    return this.#programs.find(({ isHost }) => isHost);
  }

  /** Until each launch has ended, each release is complete, and nobody waits for an endpoint that is free. */
  async #settle(): Promise<void> {
    await this.#until(() => {
      const waiting = this.#programs.filter(({ isWaiting }) => isWaiting);
      const unsettled = this.#launches.filter(({ outcome }) => outcome === undefined);
      return (
        this.#works.length === 0 &&
        unsettled.length === waiting.length &&
        !this.#programs.some(({ isReleasing }) => isReleasing) &&
        (waiting.length === 0 || this.#host !== undefined)
      );
    });
  }

  /** Runs steps. If there is none, work ends; if there is none either, time passes. */
  async #until(isDone: () => boolean): Promise<void> {
    for (; !isDone() || this.#scheduler.count() > 0; this.#steps += 1) {
      if (this.#steps > MAX_STEPS) throw new Error(`The run does not come to rest: ${this.#describe()}`);
      if (performance.now() < this.#stalledUntil) this.#passToNextTimer();
      else if (await this.#hasStep()) await this.#scheduler.waitOne();
      else if (!isDone()) this.#proceed();
      // Otherwise five seconds could pass while a launch waits for a few turns.
      const turns = this.#hasTimePassed ? IDLE_TURNS : this.#rules.turns;
      this.#hasTimePassed = false;
      for (let waited = 0; waited < turns; waited += 1) await turn();
      this.#check();
    }
  }

  /** Whether there is a step, now or after some turns. */
  async #hasStep(): Promise<boolean> {
    for (let turns = 0; turns < IDLE_TURNS && this.#scheduler.count() === 0; turns += 1) await turn();
    return this.#scheduler.count() > 0;
  }

  #proceed(): void {
    const [work] = this.#works;
    if (work) work.end(false);
    else this.#passToNextTimer();
  }

  #passToNextTimer(): void {
    vi.advanceTimersToNextTimer();
    this.#hasTimePassed = true;
  }

  async #performAll(actions: readonly Action[]): Promise<void> {
    for (const action of actions) {
      await this.#scheduler.schedule(Promise.resolve(), JSON.stringify(action));
      await this.#perform(action);
    }
  }

  #perform(action: Action): Promise<void> | void {
    switch (action.do) {
      case 'send':
        return this.#send(action.wait);
      case 'acquire':
        return this.#acquire({ ...action, standby: false });
      case 'standby':
        return this.#acquire({ wait: false, self: false, standby: true });
      case 'release': {
        const alive = this.#programs.filter(({ isDead }) => !isDead);
        const program = action.isHost ? this.#host : pick(alive, action.program);
        return program && this.#release(program, action.drain);
      }
      case 'abort':
        return this.#abort(pick(this.#launches, action.launch));
      case 'crash':
        return this.#crash();
      case 'cut':
        this.#cuts += 1;
        return this.#network.cutNext(ENDPOINT, action.afterBytes);
      case 'finish':
        return pick(this.#works, action.work)?.end(action.fails);
      case 'pass':
        return this.#pass(action.ms);
      case 'stall':
        this.#stalledUntil = startTimer(action.ms);
    }
  }

  #send(wait: boolean): void {
    const launch = this.#begin(wait);
    const sending = Singleton.send({ ...this.#optionsOf(launch), transport: this.#transport(launch) });
    this.#watch(launch, sending);
  }

  #acquire({ wait, self, standby }: Record<'wait' | 'self' | 'standby', boolean>): void {
    const { concurrency, idleTimeout, maxPending } = this.#rules;
    const launch = this.#begin(wait);
    const app: Singleton = new Singleton({
      ...this.#optionsOf(launch),
      transport: this.#transport(launch, () => program),
      strict: false,
      // With both, the result sets the exit status of the process of the test.
      self: self && !launch.isWaiting,
      standby,
      idleTimeout,
      maxPending,
    });
    const program: Program = new Program(launch, app, { isStandby: standby, isSelf: self && !launch.isWaiting });
    this.#programs.push(program);
    if (concurrency > 0) app.handle(([name], client) => this.#work(program, name, client), { concurrency });
    else app.on('args', async ([name], client) => void client.reply(await this.#work(program, name, client)));
    app.on('client', (client) => this.#onClient(program, client));
    app.on('release', (reason) => {
      if (program.isDead) return;
      program.reasons.push(reason);
      program.update();
      this.#faults.push(...judgeRelease(program, this.#rules).map((fault) => new Error(fault)));
    });
    // Node would print those of listeners that have failed.
    app.on('warning', () => {});
    this.#watch(launch, app.acquire());
  }

  #begin(wait: boolean): Launch {
    const isFree = this.#holder === undefined;
    const launch = new Launch(`launch ${this.#launches.length}`, wait && this.#hasReceipts, isFree);
    this.#launches.push(launch);
    return launch;
  }

  #watch(launch: Launch, ending: Promise<Singleton | Exclude<Launch['outcome'], string | undefined>>): void {
    ending
      .then(
        (end) => launch.settle(end instanceof Singleton ? 'host' : end),
        (error: unknown) => launch.fail(error),
      )
      .catch((error: unknown) => this.#faults.push(error));
  }

  #optionsOf({ name, isWaiting, controller: { signal } }: Launch): SendOptions {
    const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
    const stdio = { stdin: Readable.from([]), stdout: sink, stderr: sink };
    return { ...this.#shared, ...stdio, args: [name], version: name, wait: isWaiting, signal };
  }

  /** The transport of one process. Without a program, it only sends. */
  #transport(launch: Launch, programOf?: () => Program): Transport {
    const transport = this.#network.transport(ENDPOINT);
    return {
      ...transport,
      listen: async (onConnection, options) => {
        const program = programOf?.();
        const listener = await transport.listen((connection) => {
          program?.accept(`connection ${(this.#connections += 1)}`, connection);
          onConnection(connection);
        }, options);
        if (!listener || !program) return undefined;
        this.#holder = program;
        const close = (): Promise<void> => {
          if (this.#holder === program) this.#onFree();
          return listener.close();
        };
        return { ...listener, close };
      },
      connect: async (options) => {
        if (programOf?.().isStandby) this.#fault(`${launch.name} connects in standby`);
        const connection = await transport.connect(options);
        if (connection && this.#cuts > 0) {
          this.#cuts -= 1;
          launch.isCut = true;
        }
        return connection;
      },
    };
  }

  #onFree(): void {
    this.#holder = undefined;
    for (const launch of this.#launches) if (!launch.outcome) launch.wasEndpointFree = true;
  }

  #onClient(host: Program, client: Client): void {
    if (host.isDead) return;
    this.#launches.find(({ name }) => name === client.version)?.counts.push(host);
    if (!host.count(client)) this.#fault(`${host.name} counts a client twice`);
    if (host.reasons.length > 0) this.#fault(`${host.name} counts a client after its release`);
  }

  /** Resolves when an action ends the work, and never in a process that was killed. */
  #work(host: Program, name: string | undefined, client: Client): Promise<string> {
    const launch = this.#launches.find((one) => one.name === name);
    if (!launch || host.isDead) return new Promise(() => {});
    if (launch.isWaiting !== client.waiting) this.#fault(`${host.name} works on ${name} after its end`);
    return new Promise((resolve, reject) => {
      const end = (fails: boolean): void => {
        this.#remove(work);
        work.endedAt = host.activeAt = performance.now();
        work.hasFailed = fails;
        if (fails) reject(new Error('the work failed'));
        else resolve(`${launch.name} by ${host.name}`);
      };
      const work: Work = { launch, host, end };
      launch.works.push(work);
      host.works.add(work);
      this.#works.push(work);
      if (host.works.size > (this.#rules.concurrency || Infinity))
        this.#fault(`${host.name} works on ${host.works.size} launches`);
    });
  }

  #remove(work: Work): void {
    work.host.works.delete(work);
    this.#works.splice(this.#works.indexOf(work), 1);
  }

  #release(program: Program, drain: boolean | number): void {
    program.expectRelease('manual', drain === true ? Infinity : Number(drain));
    program.app.release({ drain }).catch((error: unknown) => this.#faults.push(error));
  }

  #abort(launch: Launch | undefined): void {
    this.#programs.find((program) => program.launch === launch)?.expectRelease('aborted', 0);
    launch?.controller.abort();
  }

  /** Kills the program that holds the endpoint. */
  #crash(): void {
    const program = this.#holder;
    if (!program) return;
    this.#hasCrashed = true;
    program.isDead = true;
    program.launch.settle('died');
    for (const work of program.works) this.#remove(work);
    this.#onFree();
    this.#network.crash(ENDPOINT);
  }

  /** Lets time pass between other steps. */
  async #pass(ms: number): Promise<void> {
    const end = startTimer(ms);
    while (performance.now() < end) {
      await this.#scheduler.schedule(Promise.resolve(), 'time');
      this.#passToNextTimer();
    }
  }

  /** What must hold after each step. */
  #check(): void {
    const hosts = this.#programs.filter(({ isHost }) => isHost);
    if (hosts.length > 1) this.#fault(`there are ${hosts.length} hosts`);
    for (const program of this.#programs) {
      if (program.isDead) continue;
      program.update();
      const isOverdue = performance.now() > program.cutsAt + FLUSH_TIME;
      if (isOverdue && program.isReleasing) this.#fault(`the release of ${program.name} does not end`);
    }
    const [fault] = this.#faults;
    if (fault) throw fault;
  }

  /** What must hold when all launches have ended. */
  #judge(): void {
    const facts: Facts = {
      programs: this.#programs,
      hasReceipts: this.#hasReceipts,
      hasCrashed: this.#hasCrashed,
      hasRoom: this.#rules.maxPending >= this.#launches.length,
      idleTimeout: this.#rules.idleTimeout,
    };
    for (const launch of this.#launches) for (const fault of judge(launch, facts)) this.#fault(fault);
    this.#check();
  }

  get #hasReceipts(): boolean {
    return this.#shared.codec !== undefined;
  }

  #fault(what: string): void {
    this.#faults.push(new Error(`${what}: ${this.#describe()}`));
  }

  #describe(): string {
    const lines = this.#launches.map(({ name, isWaiting, outcome, works }) => {
      const hosts = works.map(({ host }) => host.name).join(', ');
      return `${name}${isWaiting ? ', which waits' : ''}: ${JSON.stringify(outcome)}, dispatched by [${hosts}]`;
    });
    return ['', ...lines].join('\n');
  }
}

function pick<Item>(items: readonly Item[], index: number): Item | undefined {
  return items[index % items.length];
}

/** A timer, so that time does not pass beyond it. Returns when it expires. */
function startTimer(ms: number): number {
  setTimeout(() => {}, ms);
  return performance.now() + ms;
}
