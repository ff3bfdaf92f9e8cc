import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import { Singleton, SingletonError, type SendOptions } from '../../src/index.ts';
import { encodePreface } from '../../src/protocol/preface.ts';
import { launchLists, thresholds } from './arbitraries.ts';

/** One wire: what both sides have, what a client without the proof has, and a message that breaks off. */
interface Wire {
  readonly name: string;
  readonly shared: SendOptions;
  readonly unproven: SendOptions;
  readonly broken: Uint8Array;
  readonly numRuns: number;
}

const SECRET = 'open sesame, open sesame';
const GUESS = 'a guess of enough bytes';
const preface = encodePreface({ isSecured: true, codec: Buffer.from('msgpack'), application: new Uint8Array() });

const wires: readonly Wire[] = [
  {
    name: 'legacy with a secret',
    shared: { secret: SECRET },
    unproven: { secret: GUESS },
    broken: Buffer.from(`${SECRET}\0half an argu`),
    numRuns: 200,
  },
  {
    name: 'msgpack with a secret',
    shared: { codec: msgpack(), secret: SECRET },
    unproven: { codec: msgpack(), secret: GUESS },
    broken: Buffer.concat([preface, Buffer.alloc(30)]),
    numRuns: 100,
  },
  {
    name: 'json',
    shared: { codec: json() },
    unproven: { codec: json(), secret: GUESS },
    broken: preface.subarray(0, 9),
    numRuns: 100,
  },
];

/** The rules of the design, as a formula over the launches that were verified while the place was held. */
interface Model {
  readonly maxClients: number;
  readonly releaseThreshold: number;
  readonly verified: (readonly string[])[];
  refused: number;
  isHeld: boolean;
  isHeard: boolean;
}

function published({ verified, maxClients, releaseThreshold }: Model): readonly (readonly string[])[] {
  const limit = Math.min(maxClients || Infinity, (releaseThreshold || Infinity) - 1);
  return verified.slice(0, limit).filter((args) => args.length > 0);
}

/** A host on a port of its own, and what it told. */
class System {
  readonly app: Singleton;
  readonly wire: Wire;
  readonly heard: (readonly string[])[] = [];
  readonly reasons: string[] = [];
  readonly sockets: Socket[] = [];
  refused = 0;

  constructor(app: Singleton, wire: Wire) {
    this.app = app;
    this.wire = wire;
    app.on('release', (reason) => this.reasons.push(reason));
    app.on('verifyFailed', () => (this.refused += 1));
  }

  get port(): number {
    return Number(new URL(this.app.place).port);
  }

  /** `true` when the host took it. */
  async launch(args: readonly string[]): Promise<boolean> {
    try {
      await Singleton.send({ ...this.wire.shared, port: this.port, args });
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_SINGLETON_NO_HOST' });
      return false;
    }
  }

  /** `true` when there was a host to refuse it; the legacy wire does not say that it did. */
  async launchUnproven(): Promise<boolean> {
    try {
      await Singleton.send({ ...this.wire.unproven, port: this.port, args: ['--evil'] });
      return true;
    } catch (error) {
      if (!(error instanceof SingletonError)) throw error;
      expect(['ERR_SINGLETON_NO_HOST', 'ERR_SINGLETON_VERIFICATION_FAILED']).toContain(error.code);
      return error.code === 'ERR_SINGLETON_VERIFICATION_FAILED';
    }
  }

  async connect(): Promise<Socket | undefined> {
    const socket = connect(this.port, '127.0.0.1').on('error', () => {});
    this.sockets.push(socket);
    return new Promise((resolve) => {
      socket.once('connect', () => resolve(socket)).once('close', () => resolve(undefined));
    });
  }

  listen(): void {
    this.app.on('args', (args) => this.heard.push(args));
  }

  async end(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await this.app.release();
  }
}

type Command = fc.AsyncCommand<Model, System>;

/** What must hold after every step. */
function compare(model: Model, { app, heard, refused }: System): void {
  expect(app.listening).toBe(model.isHeld);
  expect(app.clients).toBe(model.verified.length);
  expect(refused).toBe(model.refused);
  expect(app.arguments).toEqual(model.isHeard ? [] : published(model));
  expect(heard).toEqual(model.isHeard ? published(model) : []);
  if (model.releaseThreshold > 0) expect(app.clients).toBeLessThanOrEqual(model.releaseThreshold);
}

function count(model: Model, args: readonly string[]): void {
  model.verified.push(args);
  if (model.verified.length === model.releaseThreshold) model.isHeld = false;
}

class Launch implements Command {
  readonly args: readonly string[];
  constructor(args: readonly string[]) {
    this.args = args;
  }
  check = (): boolean => true;
  async run(model: Model, system: System): Promise<void> {
    expect(await system.launch(this.args)).toBe(model.isHeld);
    if (model.isHeld) count(model, this.args);
    compare(model, system);
  }
  toString = (): string => `launch(${JSON.stringify(this.args)})`;
}

/** Several at one instant: who is taken, and in which order, is the host's choice, but it is one and the same. */
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
    const isTaken = await Promise.all(launches.map((args) => system.launch(args)));
    const taken = launches.filter((_, index) => isTaken[index]);
    const seen = [...system.heard, ...system.app.arguments].filter(([mark]) => mark === `burst ${before}`);
    order.push(...seen, ...taken.filter((args) => !seen.some((other) => other[1] === args[1])));
    expect(order).toHaveLength(taken.length);
    for (const args of order) count(model, args);
    compare(model, system);
  }
  toString = (): string => `burst(${this.size})`;
}

class WrongSecret implements Command {
  check = (): boolean => true;
  async run(model: Model, system: System): Promise<void> {
    expect(await system.launchUnproven()).toBe(model.isHeld);
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
    const socket = await system.connect();
    if (!socket) throw new Error('the host is gone');
    socket.write(system.wire.broken);
    const warned = once(system.app, 'warning');
    socket.end();
    await warned;
    compare(model, system);
  }
  toString = (): string => 'crash()';
}

class Listen implements Command {
  check = (model: Model): boolean => !model.isHeard;
  async run(model: Model, system: System): Promise<void> {
    system.listen();
    model.isHeard = true;
    await new Promise(setImmediate);
    compare(model, system);
  }
  toString = (): string => 'listen()';
}

class Release implements Command {
  check = (): boolean => true;
  async run(model: Model, system: System): Promise<void> {
    for (const socket of system.sockets) socket.destroy();
    await system.app.release();
    expect(system.reasons).toEqual([model.isHeld ? 'manual' : (system.reasons[0] ?? 'none')]);
    model.isHeld = false;
    compare(model, system);
  }
  toString = (): string => 'release()';
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
];

test.each(wires)('a host of $name counts, publishes and releases as the rules say, whatever comes', async (wire) => {
  await fc.assert(
    fc.asyncProperty(thresholds(), fc.commands(commands, { maxCommands: 20 }), async (rules, steps) => {
      const system = new System(await Singleton.acquire({ ...wire.shared, port: 0, strict: false, ...rules }), wire);
      try {
        await fc.asyncModelRun(
          () => ({ model: { ...rules, verified: [], refused: 0, isHeld: true, isHeard: false }, real: system }),
          steps,
        );
        expect(await isFree(system.port)).toBe(!system.app.listening);
      } finally {
        await system.end();
      }
      expect(system.reasons).toHaveLength(1);
    }),
    { numRuns: wire.numRuns },
  );
});

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen({ port, host: '127.0.0.1', exclusive: true });
  const isListening = await new Promise<boolean>((resolve) => {
    server.once('listening', () => resolve(true)).once('error', () => resolve(false));
  });
  if (isListening) await new Promise((resolve) => server.close(resolve));
  return isListening;
}
