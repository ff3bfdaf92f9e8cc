import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { expect, type TestContext } from 'vitest';
import type { Command, FleetConfig, LaunchOptions } from '../fixtures/fleet.js';
import { callEtcd } from './etcd.ts';
import { fixture, type Line, type Program, run, waitUntil } from './program.ts';

export type OnFinished = TestContext['onTestFinished'];

export interface FleetOptions extends Pick<FleetConfig, 'sample' | 'work'> {
  /** As in `FleetConfig`. */
  readonly dist?: string | undefined;
  readonly endpoints: readonly string[];
  readonly ttl: number;
  readonly onFinished: OnFinished;
}

/** The programs of one endpoint, each of which has a network of its own if it is given other endpoints. */
export class Fleet {
  readonly key: string;
  readonly #options: FleetOptions;

  constructor(options: FleetOptions) {
    this.key = `test/${randomUUID()}`;
    this.#options = options;
  }

  /** Starts `test/fixtures/fleet.js`. It ends with the test at the latest. */
  async start(options: Partial<FleetConfig['etcd']> = {}, env: NodeJS.ProcessEnv = {}): Promise<FleetProgram> {
    const { endpoints, ttl, onFinished, dist, ...rest } = this.#options;
    const advertise = { address: '127.0.0.1' };
    const config: FleetConfig = {
      ...rest,
      ...(dist !== undefined && { dist }),
      etcd: { endpoints, ttl, key: this.key, advertise, ...options },
    };
    const program = run(process.execPath, [fixture('fleet.js')], { ...env, FLEET: JSON.stringify(config) }, onFinished);
    await program.line('ready');
    return new FleetProgram(program);
  }

  startAll(count: number): Promise<FleetProgram[]> {
    return Promise.all(Array.from({ length: count }, () => this.start()));
  }

  /** Starts a program that becomes the host. */
  async startHost(...args: Parameters<Fleet['start']>): Promise<FleetProgram> {
    const program = await this.start(...args);
    expect(await program.launch('host')).toMatchObject({ is: 'host' });
    return program;
  }

  /** Asks etcd for something about the key. */
  call(path: string, body: object, endpoint = this.#options.endpoints[0]): Promise<string> {
    return callEtcd(endpoint ?? '', path, { key: btoa(this.key), ...body });
  }

  async #read(endpoint?: string): Promise<{ readonly value: string; readonly lease: string }> {
    return JSON.parse(await this.call('/v3/kv/range', {}, endpoint)).kvs[0];
  }

  /** Lets the host be one of another machine, so that no process here can prove that it has ended. */
  async hideWitness(): Promise<void> {
    const { value, lease } = await this.#read();
    const { witness, ...record } = JSON.parse(atob(value));
    if (process.platform === 'linux') expect(witness).toBeDefined();
    await this.call('/v3/kv/put', { value: btoa(JSON.stringify(record)), lease });
  }

  /** Resolves when the host has renewed its lease once more: etcd counts what is left in seconds, so the TTL must have several. */
  async renewed(endpoint?: string): Promise<void> {
    const { lease } = await this.#read(endpoint);
    let left = Infinity;
    await waitUntil('a renewal', async () => {
      const { TTL } = JSON.parse(await this.call('/v3/lease/timetolive', { ID: lease }, endpoint));
      const hasGrown = Number(TTL) > left;
      left = Number(TTL);
      if (!hasGrown) await setTimeout(20);
      return hasGrown;
    });
  }
}

/** What has become of a launch. */
export interface Outcome extends Line {
  readonly launch: string;
  readonly is: string;
  readonly token?: number;
  readonly code?: string;
}

/** A program that `Fleet` has started. */
export class FleetProgram {
  readonly program: Program;

  constructor(program: Program) {
    this.program = program;
  }

  perform(command: Command): void {
    this.program.writeLine(JSON.stringify(command));
  }

  /** Acquires the endpoint, or delivers the launch to its host. Resolves when either is done, or has failed. */
  launch(launch: string, options: LaunchOptions = {}): Promise<Outcome> {
    this.perform({ do: 'launch', launch, ...options });
    return this.#outcome(launch);
  }

  /** Delivers a launch. */
  send(launch: string, options: LaunchOptions = {}): Promise<Outcome> {
    this.perform({ do: 'send', launch, ...options });
    return this.#outcome(launch);
  }

  async #outcome(launch: string): Promise<Outcome> {
    const line = await this.program.line('outcome', (each) => each['launch'] === launch);
    const { is, token, code } = line;
    return {
      ...line,
      launch,
      is: String(is),
      ...(typeof token === 'number' && { token }),
      ...(typeof code === 'string' && { code }),
    };
  }

  /** The token of this host. */
  async claim(): Promise<number> {
    const { token } = await this.program.line('claim');
    return Number(token);
  }

  /** Why it is no longer the host. */
  async end(): Promise<unknown> {
    const { reason } = await this.program.line('end');
    return reason;
  }

  /** Resolves when it has performed all commands before, and printed what follows from them at once. */
  async answer(): Promise<Line> {
    const before = this.program.all('pong');
    this.perform({ do: 'ping' });
    return this.program.line('pong', (line) => !before.includes(line));
  }

  /** The launches that it has run as the host. */
  get runs(): string[] {
    return this.program.all('run').map(({ launch }) => String(launch));
  }

  /** The launches that it has run, as soon as there are so many. */
  async ran(count: number): Promise<string[]> {
    await this.program.line('run', () => this.runs.length >= count);
    return this.runs;
  }
}
