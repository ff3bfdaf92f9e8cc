import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { onTestFinished } from 'vitest';
import type { AppConfig } from '../fixtures/app.js';

/** The output of a program: one JSON object a line. */
export type Line = Readonly<Record<string, unknown>>;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Milliseconds until a wait fails, with the output so far. */
const DEADLINE = 100_000;

/** Starts `test/fixtures/app.js`. Its arguments are those of the launch. */
export function launch(config: AppConfig, ...args: readonly string[]): Program {
  return run(process.execPath, [fixture('app.js'), ...args], { APP: JSON.stringify(config) });
}

/** Starts a host with `options` and returns it once it is listening. */
export async function startHost(options: AppConfig['options'], config: Partial<AppConfig> = {}): Promise<Program> {
  const host = launch({ options, ...config });
  await host.line('host');
  return host;
}

/** The arguments of all launches that a host dispatched, in order, up to one more that this process sends. */
export async function dispatchedArgs(host: Program, { port, secret }: Endpoint): Promise<unknown[]> {
  const last = `the last of ${randomUUID()}`;
  const socket = await connect(port);
  socket.end([...(secret === undefined ? [] : [secret]), last, ''].join('\0'));
  await host.line('args', ({ args }) => isDeepStrictEqual(args, [last]));
  return host
    .all('args')
    .map(({ args }) => args)
    .slice(0, -1);
}

/** The port of a host, and its secret. */
export interface Endpoint {
  readonly port: number;
  readonly secret?: string;
}

/** Starts a program; it ends with the test at the latest. A test that runs beside others passes its own `onFinished`. */
export function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  onFinished: typeof onTestFinished = onTestFinished,
): Program {
  const program = new Program(spawn(command, args, { env: { ...inheritedEnv(), ...env } }));
  onFinished(async () => void (await program.kill()));
  return program;
}

export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

/** This process's environment without a variable that slows each start of Node 20 by tens of milliseconds. */
export function inheritedEnv(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  return env;
}

/** A running program and its output so far. */
export class Program {
  readonly lines: Line[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waits = new Set<() => void>();
  #stdout = '';
  #stderr = '';
  #exit: Exit | undefined;

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.#read(line));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    // It may exit before it has read its input.
    child.stdin.on('error', () => {});
    child.once('error', (error) => (this.#stderr += String(error)));
    child.once('close', (code, signal) => {
      this.#exit = { code, signal };
      this.#changed();
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get hasExited(): boolean {
    return this.#exit !== undefined;
  }

  /** The lines of one event. */
  all(event: string): Line[] {
    return this.lines.filter((line) => line['event'] === event);
  }

  /** The first line of an event that meets the condition, already printed or later. */
  line(event: string, condition: (line: Line) => boolean = () => true): Promise<Line> {
    return this.#waitFor(`a line "${event}"`, () => this.all(event).find(condition));
  }

  /** Resolves when it has printed a line with this text. */
  async printed(text: string): Promise<void> {
    await this.#waitFor(`the output "${text}"`, () => this.#stdout.includes(text) || undefined);
  }

  /** The exit of the program, after its whole output was read. */
  exited(): Promise<Exit> {
    return this.#waitFor('an exit', () => this.#exit);
  }

  /** Writes a line to its stdin. */
  writeLine(line = ''): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Writes the whole of its stdin. */
  endStdin(text: string): void {
    this.#child.stdin.end(text);
  }

  /** Leaves its stderr unread. */
  async closeStderr(): Promise<void> {
    this.#child.stderr.destroy();
    await once(this.#child.stderr, 'close');
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Stops it, and returns when it is stopped; SIGCONT continues it. Not on Windows, which has no such signal. */
  async freeze(): Promise<void> {
    this.signal('SIGSTOP');
    // Other systems do not report it; a launch takes longer to start than a signal to arrive.
    if (process.platform !== 'linux') return;
    await waitUntil('the process to be stopped', async () =>
      /^\d+ \(.*\) T /.test(await readFile(`/proc/${this.pid}/stat`, 'utf8')),
    );
  }

  async kill(): Promise<Exit> {
    // A program that could not be started has no id, and closes by itself.
    if (!this.#exit && this.#child.pid !== undefined) this.#child.kill('SIGKILL');
    return this.exited();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  #read(text: string): void {
    this.#stdout += `${text}\n`;
    const line = parse(text);
    if (line) this.lines.push(line);
    this.#changed();
  }

  #changed(): void {
    for (const check of this.#waits) check();
  }

  #waitFor<Found>(what: string, find: () => Found | undefined): Promise<Found> {
    // Created here, so that its stack shows the caller.
    const failure = new Error();
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#waits.delete(check);
      };
      const fail = (how: string): void => {
        settle();
        failure.message = `Expected ${what}; ${how}. ${this.#output()}`;
        reject(failure);
      };
      const check = (): void => {
        const found = find();
        if (found !== undefined) {
          settle();
          resolve(found);
        } else if (this.#exit) fail('the program ended');
      };
      const timer = setTimeout(() => fail(`it did not happen within ${DEADLINE} ms`), DEADLINE);
      this.#waits.add(check);
      check();
    });
  }

  #output(): string {
    return `Exit: ${JSON.stringify(this.#exit)}\nstdout:\n${this.#stdout}stderr:\n${this.#stderr}`;
  }
}

function parse(text: string): Line | undefined {
  if (!text.startsWith('{')) return undefined;
  const value: unknown = JSON.parse(text);
  return isLine(value) ? value : undefined;
}

function isLine(value: unknown): value is Line {
  return typeof value === 'object' && value !== null;
}

/** Below the ports that systems give to outgoing connections. Documents and examples take theirs below 12,000. */
const PORTS = { first: 12_000, count: 20_768 };
/** Each worker has ports of its own, so that no two tests take the same one before either has bound it. */
const WORKERS = 32;
const SHARE = Math.floor(PORTS.count / WORKERS);
const ownPorts = PORTS.first + (Number(process.env['VITEST_POOL_ID'] ?? 1) % WORKERS) * SHARE;
let nextPort = Math.floor(Math.random() * SHARE);

/** A port that is free, and that no test of this run was given shortly before. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = ownPorts + (nextPort++ % SHARE);
    if (await isFree(port, address)) return port;
  }
}

/** Whether a port is free. Rejects if it can never be bound. */
export async function isFree(port: number, address = '127.0.0.1'): Promise<boolean> {
  const server = createServer().listen({ host: address, port, exclusive: true });
  try {
    await once(server, 'listening');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false;
    throw error;
  }
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/** Polls a condition that emits no event. */
export async function waitUntil(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + DEADLINE;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`Expected ${what}; that did not happen within ${DEADLINE} ms.`);
  }
}

/** Whether a process that this one may not be the parent of is still there; nobody may have asked yet how it has ended. */
export function isRunning(pid = 0): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

/** A server of another protocol, in this process. */
export interface ForeignServer {
  readonly port: number;
  /** All connections, in order. */
  readonly connections: readonly Socket[];
  /** The first one. */
  readonly connected: Promise<Socket>;
}

export async function startForeignServer(onConnection: (socket: Socket) => void): Promise<ForeignServer> {
  const connections: Socket[] = [];
  const server = createServer({ allowHalfOpen: true });
  const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
  server.on('connection', (socket: Socket) => {
    connections.push(socket.on('error', () => {}));
    onConnection(socket);
  });
  onTestFinished(() => {
    for (const socket of connections) socket.destroy();
    server.close();
  });
  server.listen({ host: '127.0.0.1', port: 0, exclusive: true });
  await once(server, 'listening');
  return { port: portOf(server), connections, connected };
}

/** A connection from this process, open until the test ends. */
export async function connect(port: number): Promise<Socket> {
  const socket = createConnection({ host: '127.0.0.1', port, allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  // How the host closes it is seen by waitForClose().
  return socket.on('error', () => {});
}

/** Resolves when a connection is closed; rejects if it stays open. */
export function waitForClose(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`Expected the connection to be closed; it is open after ${DEADLINE} ms.`)),
      DEADLINE,
    );
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    if (socket.closed) done();
    else socket.resume().once('close', done);
  });
}

/** The port of a server that listens. */
export function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error(`Expected a port, got ${String(address)}.`);
  return address.port;
}
