import { once } from 'node:events';
import fc, { type Scheduler } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import {
  type Connection,
  MultipleSingletonsError,
  type ReleaseReason,
  type SendOptions,
  Singleton,
  SingletonError,
  type Transport,
} from '../../src/index.ts';
import { encodeClientHello } from '../../src/protocol/hello.ts';
import { memory, type MemoryNetwork } from '../../src/transports/memory.ts';
import { launchLists, thresholds } from './arbitraries.ts';

/** The options that host and client share, those of a client without the secret, and a message that breaks off. */
interface Wire {
  readonly name: string;
  readonly shared: SendOptions;
  readonly unverified: SendOptions;
  readonly broken: Uint8Array;
  readonly numRuns: number;
}

const SECRET = 'open sesame, open sesame';
const GUESS = 'a guess of enough bytes';
const clientHello = encodeClientHello({
  isSecured: true,
  codec: Buffer.from('msgpack'),
  application: new Uint8Array(),
});

const wires: readonly Wire[] = [
  {
    name: 'legacy with a secret',
    shared: { secret: SECRET },
    unverified: { secret: GUESS },
    broken: Buffer.from(`${SECRET}\0half an argu`),
    numRuns: 120,
  },
  {
    name: 'msgpack with a secret',
    shared: { codec: msgpack(), secret: SECRET },
    unverified: { codec: msgpack(), secret: GUESS },
    broken: Buffer.concat([clientHello, Buffer.alloc(30)]),
    numRuns: 60,
  },
  {
    name: 'json',
    shared: { codec: json() },
    unverified: { codec: json(), secret: GUESS },
    broken: clientHello.subarray(0, 9),
    numRuns: 60,
  },
];

/** The rules of the design, as a formula over the launches that were verified while the endpoint was held. */
interface Model {
  readonly maxClients: number;
  readonly releaseThreshold: number;
  readonly verified: (readonly string[])[];
  refused: number;
  isHeld: boolean;
  reason: ReleaseReason | undefined;
  hasListener: boolean;
}

function dispatched({ verified, maxClients, releaseThreshold }: Model): readonly (readonly string[])[] {
  const limit = Math.min(maxClients || Infinity, (releaseThreshold || Infinity) - 1);
  return verified.slice(0, limit).filter((args) => args.length > 0);
}

/** A host at an endpoint of its own, and its events. The scheduler chooses the order of the steps. */
class System {
  readonly app: Singleton;
  readonly wire: Wire;
  readonly network: MemoryNetwork;
  readonly received: (readonly string[])[] = [];
  readonly reasons: string[] = [];
  readonly connections: Connection[] = [];
  readonly #scheduler: Scheduler;
  refused = 0;

  constructor(scheduler: Scheduler, wire: Wire, rules: Rules) {
    this.#scheduler = scheduler;
    this.network = networkOf(scheduler);
    this.wire = wire;
    this.app = new Singleton({ ...wire.shared, transport: this.transport, strict: false, ...rules });
    this.app.on('release', (reason) => this.reasons.push(reason));
    this.app.on('verifyFailed', () => (this.refused += 1));
  }

  get transport(): Transport {
    return this.network.transport(ENDPOINT);
  }

  /** Runs scheduled steps, one at a time, until this one is done. */
  done<T>(step: Promise<T>): Promise<T> {
    return this.#scheduler.waitFor(step);
  }

  /** `delivered` if the host accepted the launch, else the code of the error. */
  async launch(args: readonly string[], options: { readonly deliveryTimeout?: number } = {}): Promise<string> {
    return this.#send({ ...this.wire.shared, ...options, args });
  }

  /** Over the legacy codec a client does not learn that it was refused. */
  async launchUnverified(): Promise<string> {
    return this.#send({ ...this.wire.unverified, args: ['--evil'] });
  }

  async #send(options: SendOptions): Promise<string> {
    const sending = Singleton.send({ ...options, transport: this.transport });
    return this.done(sending.then(() => 'delivered', codeOf));
  }

  async connect(): Promise<Connection | undefined> {
    const connection = await this.done(this.transport.connect({ signal: new AbortController().signal }));
    if (connection) this.connections.push(connection.on('error', () => {}));
    return connection;
  }

  listen(): void {
    this.app.on('args', (args) => this.received.push(args));
  }

  async release(): Promise<void> {
    for (const connection of this.connections) connection.destroy();
    await this.done(this.app.release());
  }
}

const ENDPOINT = 'the endpoint';

interface Rules {
  readonly maxClients: number;
  readonly releaseThreshold: number;
}

function networkOf(scheduler: Scheduler): MemoryNetwork {
  return memory({ schedule: (what) => scheduler.schedule(Promise.resolve(), what) });
}

function codeOf(error: unknown): string {
  if (error instanceof SingletonError) return error.code;
  throw error;
}

type Command = fc.AsyncCommand<Model, System>;

/** What must hold after every step. */
function compare(model: Model, { app, received, refused }: System): void {
  expect(app.listening).toBe(model.isHeld);
  expect(app.clients).toBe(model.verified.length);
  expect(refused).toBe(model.refused);
  expect(app.arguments).toEqual(model.hasListener ? [] : dispatched(model));
  expect(received).toEqual(model.hasListener ? dispatched(model) : []);
  if (model.releaseThreshold > 0) expect(app.clients).toBeLessThanOrEqual(model.releaseThreshold);
}

function count(model: Model, args: readonly string[]): void {
  model.verified.push(args);
  if (model.verified.length === model.releaseThreshold) release(model, 'threshold');
}

function release(model: Model, reason: ReleaseReason): void {
  if (model.isHeld) model.reason = reason;
  model.isHeld = false;
}

class Launch implements Command {
  readonly args: readonly string[];
  constructor(args: readonly string[]) {
    this.args = args;
  }
  check = (): boolean => true;
  async run(model: Model, system: System): Promise<void> {
    expect(await system.launch(this.args)).toBe(model.isHeld ? 'delivered' : 'ERR_SINGLETON_NO_HOST');
    if (model.isHeld) count(model, this.args);
    compare(model, system);
  }
  toString = (): string => `launch(${JSON.stringify(this.args)})`;
}

/** Several launches at one instant. The host chooses which it accepts and in which order, and dispatches in that order. */
class Burst implements Command {
  readonly size: number;
  constructor(size: number) {
    this.size = size;
  }
  check = (): boolean => true;
  async run(model: Model, system: System): Promise<void> {
    const before = model.verified.length;
    const order: (readonly string[])[] = [];
    const launches = Array.from({ length: this.size }, (_, index) => [`burst ${before}`, `${index}`]);
    const outcomes = await Promise.all(launches.map((args) => system.launch(args)));
    for (const outcome of outcomes) expect(['delivered', 'ERR_SINGLETON_NO_HOST']).toContain(outcome);
    const accepted = launches.filter((_, index) => outcomes[index] === 'delivered');
    const seen = [...system.received, ...system.app.arguments].filter(([mark]) => mark === `burst ${before}`);
    order.push(...seen, ...accepted.filter((args) => !seen.some((other) => other[1] === args[1])));
    expect(order).toHaveLength(accepted.length);
    for (const args of order) count(model, args);
    compare(model, system);
  }
  toString = (): string => `burst(${this.size})`;
}

class WrongSecret implements Command {
  check = (): boolean => true;
  async run(model: Model, system: System): Promise<void> {
    const refusals = model.isHeld ? ['delivered', 'ERR_SINGLETON_VERIFICATION_FAILED'] : ['ERR_SINGLETON_NO_HOST'];
    expect(refusals).toContain(await system.launchUnverified());
    if (model.isHeld) model.refused += 1;
    compare(model, system);
  }
  toString = (): string => 'wrongSecret()';
}

class Silence implements Command {
  check = (): boolean => true;
  async run(model: Model, system: System): Promise<void> {
    expect((await system.connect()) !== undefined).toBe(model.isHeld);
    compare(model, system);
  }
  toString = (): string => 'silence()';
}

/** A client that is killed in the middle of its message. */
class Crash implements Command {
  check = (model: Model): boolean => model.isHeld;
  async run(model: Model, system: System): Promise<void> {
    const connection = await system.connect();
    if (!connection) throw new Error('there is no host');
    const warned = once(system.app, 'warning');
    connection.end(system.wire.broken);
    await system.done(warned);
    compare(model, system);
  }
  toString = (): string => 'crash()';
}

class Listen implements Command {
  check = (model: Model): boolean => !model.hasListener;
  async run(model: Model, system: System): Promise<void> {
    system.listen();
    model.hasListener = true;
    await new Promise(setImmediate);
    compare(model, system);
  }
  toString = (): string => 'listen()';
}

class Release implements Command {
  check = (): boolean => true;
  async run(model: Model, system: System): Promise<void> {
    await system.release();
    release(model, 'manual');
    expect(system.reasons).toEqual([model.reason]);
    compare(model, system);
  }
  toString = (): string => 'release()';
}

/** Another process takes the endpoint over. */
class Steal implements Command {
  check = (model: Model): boolean => model.isHeld;
  async run(model: Model, system: System): Promise<void> {
    system.network.steal(ENDPOINT);
    release(model, 'lost');
    compare(model, system);
  }
  toString = (): string => 'steal()';
}

/** The host is frozen until the launch has failed. */
class Hang implements Command {
  check = (model: Model): boolean => model.isHeld;
  async run(model: Model, system: System): Promise<void> {
    system.network.freeze(ENDPOINT);
    const outcome = await system.launch(['expired'], { deliveryTimeout: 20 });
    system.network.unfreeze(ENDPOINT);
    expect(outcome).toBe('ERR_SINGLETON_HOST_UNRESPONSIVE');
    compare(model, system);
  }
  toString = (): string => 'hang()';
}

/** The connection breaks during the delivery. The launch tries again, or fails; one that fails is not run. */
class Cut implements Command {
  readonly bytes: number;
  constructor(bytes: number) {
    this.bytes = bytes;
  }
  check = (model: Model): boolean => model.isHeld;
  async run(model: Model, system: System): Promise<void> {
    system.network.cutNext(ENDPOINT, this.bytes);
    const args = ['a launch that may be cut off'];
    const outcome = await system.launch(args);
    if (outcome === 'delivered') count(model, args);
    else expect(outcome).toBe('ERR_SINGLETON_CONNECTION_FAILED');
    compare(model, system);
  }
  toString = (): string => `cut(${this.bytes})`;
}

const commands = [
  launchLists().map((args) => new Launch(args)),
  launchLists().map((args) => new Launch(args)),
  fc.integer({ min: 2, max: 8 }).map((size) => new Burst(size)),
  fc.constant(new WrongSecret()),
  fc.constant(new Silence()),
  fc.constant(new Crash()),
  fc.constant(new Listen()),
  fc.constant(new Release()),
  fc.constant(new Steal()),
  fc.constant(new Hang()),
  fc.nat({ max: 150 }).map((bytes) => new Cut(bytes)),
];

describe('a Singleton', () => {
  test.each(wires)('counts, dispatches and releases as the model does, for any commands, over $name', async (wire) => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        thresholds(),
        fc.commands(commands, { maxCommands: 20 }),
        async (scheduler, rules, steps) => {
          const system = new System(scheduler, wire, rules);
          await system.done(system.app.acquire());
          try {
            await fc.asyncModelRun(
              () => ({
                model: { ...rules, verified: [], refused: 0, isHeld: true, hasListener: false, reason: undefined },
                real: system,
              }),
              steps,
            );
            expect((await system.connect()) === undefined).toBe(!system.app.listening);
          } finally {
            await system.release();
          }
          expect(system.reasons).toHaveLength(1);
        },
      ),
      { numRuns: wire.numRuns },
    );
  });
});

describe('launches at the same instant', () => {
  test.each(wires)('have one host, which receives all others, over $name', async ({ shared }) => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 6 }), async (scheduler, size) => {
        const network = networkOf(scheduler);
        const apps = Array.from(
          { length: size },
          (_, index) =>
            new Singleton({ ...shared, transport: network.transport(ENDPOINT), args: [`${index}`], strict: false }),
        );
        const acquiring = apps.map(async (app) => app.acquire().then(() => 'host', outcomeOf));
        const outcomes = await scheduler.waitFor(Promise.all(acquiring));
        const host = apps.find((app) => app.listening);
        try {
          expect(outcomes.filter((outcome) => outcome === 'host')).toHaveLength(1);
          const others = outcomes.flatMap((outcome, index) => (outcome === 'host' ? [] : [[`${index}`]]));
          expect(host?.arguments.toSorted()).toEqual(others);
        } finally {
          await scheduler.waitFor(Promise.all(apps.map((app) => app.release())));
        }
      }),
      { numRuns: 60 },
    );
  });
});

function outcomeOf(error: unknown): string {
  return error instanceof MultipleSingletonsError ? error.receipt.outcome : codeOf(error);
}
