import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createConnection, type NetConnectOpts, type Socket } from 'node:net';
import type { AppConfig } from '../fixtures/app.js';
import { connectionsAtPath, unreadConnectionsAtPort } from './linux-sockets.ts';
import { type Exit, freePort, type Program, waitUntil } from './program.ts';
import type { Trial } from './trial.ts';

/** What a user of a runtime relies on. */
export interface Feature {
  readonly name: string;
  /** Tries it with real processes. Resolves to what was seen. */
  readonly observe: (trial: Trial, node20: Trial) => Promise<unknown>;
  /** What is seen if it works. */
  readonly expected: unknown;
}

const ARGS = ['two words', '', 'ü 🚀', '-v'];
const ON_THEIR_WAY = ['launch 0', 'launch 1', 'launch 2', 'launch 3'];
const SUCCESS = { code: 0, signal: null };
const UNRESPONSIVE = { code: 'ERR_SINGLETON_HOST_UNRESPONSIVE', status: 1 };
/** Short enough to wait for, and not the default. */
const deliveryTimeout = 1000;
const secret = 'correct-horse-battery-staple';

export const features: readonly Feature[] = [
  {
    name: 'arguments: `legacy()`',
    observe: async (trial) => deliver(trial, trial, { options: { port: await freePort() } }),
    expected: { args: ARGS, exit: SUCCESS },
  },
  {
    name: 'arguments: `json()`',
    observe: async (trial) => deliver(trial, trial, { options: { port: await freePort() }, codec: 'json' }),
    expected: { args: ARGS, exit: SUCCESS },
  },
  {
    name: 'receipt: `json()`',
    observe: async (trial) => send(trial, trial, { options: { port: await freePort() }, codec: 'json' }),
    expected: { args: ARGS, outcome: 'delivered', isPidRight: true },
  },
  {
    name: 'receipt: `msgpack()` and a secret',
    observe: async (trial) => send(trial, trial, { options: { port: await freePort(), secret }, codec: 'msgpack' }),
    expected: { args: ARGS, outcome: 'delivered', isPidRight: true },
  },
  {
    name: '`wait`: reply',
    observe: (trial) => reply(trial, trial),
    expected: { outcome: 'delivered', reply: 'done' },
  },
  {
    name: '`wait`: exit status',
    observe: async (trial) => (await trial.answeredBy(trial, 'exit', '7')).exited(),
    expected: { code: 7, signal: null },
  },
  {
    name: '`wait`: stdout and stderr',
    observe: (trial) => pour(trial, trial),
    expected: { exit: SUCCESS, stdout: digest(lines(307_200)), stderr: digest(lines(307_200)) },
  },
  {
    name: '`wait`: stdin',
    async observe(trial) {
      const launch = await trial.answeredBy(trial, 'digest');
      launch.endStdin(lines(1_048_576));
      const exit = await launch.exited();
      return { exit, digest: JSON.parse(launch.stdout).digest };
    },
    expected: { exit: SUCCESS, digest: digest(lines(1_048_576)) },
  },
  {
    name: '`pipe({ name })`',
    observe: async (trial) => deliver(trial, trial, { options: {}, pipe: { name: trial.name() } }),
    expected: { args: ARGS, exit: SUCCESS },
  },
  {
    name: 'the next launch becomes host after a crash: port',
    observe: async (trial) => becomeHostAfterCrash(trial, { options: { port: await freePort(), client: false } }),
    expected: 'host',
  },
  {
    name: 'the next launch becomes host after a crash: pipe',
    observe: async (trial) => becomeHostAfterCrash(trial, { options: { client: false }, pipe: await trial.path() }),
    expected: 'host',
  },
  {
    name: 'a frozen host: `legacy()`',
    observe: async (trial) => launchAtFrozenHost(trial, { options: { port: await freePort(), deliveryTimeout } }),
    expected: UNRESPONSIVE,
  },
  {
    name: 'a frozen host: `json()`',
    observe: async (trial) =>
      launchAtFrozenHost(trial, { options: { port: await freePort(), deliveryTimeout }, codec: 'json' }),
    expected: UNRESPONSIVE,
  },
  {
    name: 'a frozen host: pipe',
    observe: async (trial) => launchAtFrozenHost(trial, { options: { deliveryTimeout }, pipe: await trial.path() }),
    expected: UNRESPONSIVE,
  },
  {
    name: '`process.exit()` of the host: `legacy()`',
    async observe(trial) {
      const port = await freePort();
      return exitBeforeOthers(trial, { options: { port } }, () => unreadConnectionsAtPort(port));
    },
    expected: { quit: SUCCESS, host: SUCCESS, ran: ON_THEIR_WAY },
  },
  {
    name: '`process.exit()` of the host: `json()`',
    async observe(trial) {
      const port = await freePort();
      return exitBeforeOthers(trial, { options: { port }, codec: 'json' }, () => unreadConnectionsAtPort(port));
    },
    expected: { quit: SUCCESS, host: SUCCESS, ran: ON_THEIR_WAY },
  },
  {
    name: '`process.exit()` of the host: pipe',
    async observe(trial) {
      const path = await trial.path();
      return exitBeforeOthers(trial, { options: {}, pipe: path }, () => connectionsAtPath(path));
    },
    expected: { quit: SUCCESS, host: SUCCESS, ran: ON_THEIR_WAY },
  },
  {
    name: '`process.exit()` of the host, half of a launch: port',
    observe: (trial) => endWithHalfOfALaunch(trial, 'exitAtQuit', 'port'),
    expected: { quit: SUCCESS, status: 0, received: '', end: 'ECONNRESET' },
  },
  {
    name: '`process.exit()` of the host, half of a launch: pipe',
    observe: (trial) => endWithHalfOfALaunch(trial, 'exitAtQuit', 'pipe'),
    expected: { quit: SUCCESS, status: 0, received: '\0reset\r\n', end: 'end' },
  },
  {
    name: 'an exception ends the host: `wait`',
    async observe(trial) {
      const port = await freePort();
      const host = await trial.answerHost(port);
      const launch = trial.app({ options: { port, wait: true }, codec: 'json' }, 'crash');
      const { code: status } = await launch.exited();
      return { host: (await host.exited()).code, code: codeOfRejection(launch), status };
    },
    expected: { host: 1, code: 'ERR_SINGLETON_RELEASED', status: 1 },
  },
  {
    name: 'an exception ends the host, half of a launch: port',
    observe: (trial) => endWithHalfOfALaunch(trial, 'crashAtQuit', 'port'),
    expected: { quit: SUCCESS, status: 1, received: '', end: 'ECONNRESET' },
  },
  {
    name: 'an exception ends the host, half of a launch: pipe',
    observe: (trial) => endWithHalfOfALaunch(trial, 'crashAtQuit', 'pipe'),
    expected: { quit: SUCCESS, status: 1, received: '\0reset\r\n', end: 'end' },
  },
  {
    name: 'host here, clients on Node 20',
    observe: (trial, node20) => meet(trial, node20),
    expected: met(),
  },
  {
    name: 'host on Node 20, clients here',
    observe: (trial, node20) => meet(node20, trial),
    expected: met(),
  },
  {
    name: '8 launches at once: port',
    observe: async (trial) => race(trial, { options: { port: await freePort() }, codec: 'json' }),
    expected: { hosts: 1, delivered: 7, ran: 7, warnings: [] },
  },
  {
    name: '8 launches at once after a crash: pipe',
    async observe(trial) {
      const config = { options: {}, pipe: await trial.path() };
      await (await trial.appHost(config)).kill();
      return race(trial, config);
    },
    expected: { hosts: 1, delivered: 7, ran: 7, warnings: [] },
  },
];

async function deliver(hostSide: Trial, clientSide: Trial, config: AppConfig): Promise<unknown> {
  const host = await hostSide.appHost(config);
  const exit = await clientSide.app(config, ...ARGS).exited();
  return { args: (await host.line('args'))['args'], exit };
}

async function send(hostSide: Trial, clientSide: Trial, config: AppConfig): Promise<unknown> {
  const host = await hostSide.appHost(config);
  const sent = await clientSide.app({ ...config, steps: ['send'] }, ...ARGS).line('sent');
  const { args } = await host.line('args');
  return { args, outcome: sent['outcome'], isPidRight: Object(sent['host']).pid === host.pid };
}

async function reply(hostSide: Trial, clientSide: Trial): Promise<unknown> {
  const port = await freePort();
  await hostSide.answerHost(port);
  const config = { options: { port, wait: true }, codec: 'json', steps: ['send'] } satisfies AppConfig;
  const sent = await clientSide.app(config, 'reply', 'done').line('sent');
  return { outcome: sent['outcome'], reply: sent['reply'] };
}

async function pour(hostSide: Trial, clientSide: Trial): Promise<unknown> {
  const launch = await clientSide.answeredBy(hostSide, 'pour', '307200');
  const exit = await launch.exited();
  return { exit, stdout: digest(launch.stdout), stderr: digest(launch.stderr) };
}

async function meet(hostSide: Trial, clientSide: Trial): Promise<unknown> {
  const [legacy, pipe, msgpack, replied] = await Promise.all([
    deliver(hostSide, clientSide, { options: { port: await freePort() } }),
    deliver(hostSide, clientSide, { options: {}, pipe: await hostSide.path() }),
    send(hostSide, clientSide, { options: { port: await freePort(), secret }, codec: 'msgpack' }),
    reply(hostSide, clientSide),
  ]);
  return { legacy, pipe, msgpack, replied };
}

function met(): unknown {
  return {
    legacy: { args: ARGS, exit: SUCCESS },
    pipe: { args: ARGS, exit: SUCCESS },
    msgpack: { args: ARGS, outcome: 'delivered', isPidRight: true },
    replied: { outcome: 'delivered', reply: 'done' },
  };
}

async function becomeHostAfterCrash(trial: Trial, config: AppConfig): Promise<unknown> {
  await (await trial.appHost(config)).kill();
  return (await trial.appHost(config)).lines[0]?.['event'];
}

async function launchAtFrozenHost(trial: Trial, config: AppConfig): Promise<unknown> {
  await (await trial.appHost(config)).freeze();
  const launch = trial.app(config, 'a');
  const { code: status } = await launch.exited();
  return { code: codeOfRejection(launch), status };
}

/** Which launches run that have connected to a host before it exits, there or at the next host. */
async function exitBeforeOthers(
  trial: Trial,
  given: AppConfig,
  countConnections: () => Promise<number>,
): Promise<unknown> {
  // Longer than the host is frozen on a slow machine.
  const patience = { deliveryTimeout: 120_000, receiveTimeout: 120_000 };
  const config = { ...given, options: { ...given.options, ...patience } };
  const host = await trial.appHost({ ...config, steps: ['exitAtQuit', 'acquire'] });
  await host.freeze();
  const quit = trial.app(config, 'quit');
  await waitUntil('the first launch to connect', async () => (await countConnections()) === 1);
  const launches = ON_THEIR_WAY.map((name) => trial.app(config, name));
  await waitUntil('all launches to connect', async () => (await countConnections()) === 1 + launches.length);

  host.signal('SIGCONT');

  const ends = { quit: await outcomeOf(quit), host: await host.exited() };
  const outcomes = await Promise.all(launches.map(outcomeOf));
  const hosts = [host, ...launches.filter((_, index) => outcomes[index] === 'host')];
  const delivered = hosts.flatMap((each) => each.all('args')).map(({ args }) => String(args));
  return { ...ends, ran: [...delivered, ...ON_THEIR_WAY.filter((_, index) => outcomes[index] === 'host')].toSorted() };
}

function outcomeOf(launch: Program): Promise<'host' | Exit> {
  return launch.line('host').then(
    () => 'host',
    () => launch.exited(),
  );
}

/** How a connection ends on which a part of a launch has arrived when the host exits. */
async function endWithHalfOfALaunch(
  trial: Trial,
  step: 'exitAtQuit' | 'crashAtQuit',
  transport: 'port' | 'pipe',
): Promise<unknown> {
  const port = await freePort();
  const path = await trial.path();
  const config: AppConfig = transport === 'port' ? { options: { port } } : { options: {}, pipe: path };
  const host = await trial.appHost({ ...config, steps: [step, 'acquire'] });
  const socket = await connect(transport === 'port' ? { host: '127.0.0.1', port } : { path });
  let received = '';
  socket.on('data', (chunk) => (received += String(chunk))).write('a');
  const ended = new Promise<unknown>((resolve) => {
    socket.once('end', () => resolve('end')).on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  // The host reads connections in their order: before it reads this launch, it has read the part above.
  const quit = await outcomeOf(trial.app(config, 'quit'));
  return { quit, status: (await host.exited()).code, end: await ended, received };
}

async function connect(options: NetConnectOpts): Promise<Socket> {
  const socket = createConnection(options);
  await once(socket, 'connect');
  return socket;
}

async function race(trial: Trial, config: AppConfig): Promise<unknown> {
  const racers = Array.from({ length: 8 }, (_, index) =>
    trial.app({ ...config, steps: ['wait', 'acquire'] }, `launch ${index}`),
  );
  await Promise.all(racers.map((racer) => racer.line('waiting')));
  for (const racer of racers) racer.writeLine();
  const host = await Promise.any(racers.map(async (racer) => racer.line('host').then(() => racer)));
  const clients = racers.filter((racer) => racer !== host);
  const exits = await Promise.all(clients.map((client) => client.exited()));
  await host.line('args', () => host.all('args').length >= clients.length);
  return {
    hosts: racers.filter((racer) => racer.all('host').length > 0).length,
    delivered: exits.filter(({ code }) => code === 0).length,
    ran: new Set(host.all('args').map(({ args }) => String(args))).size,
    warnings: host.all('warning'),
  };
}

function codeOfRejection(launch: Program): unknown {
  return launch.all('rejected')[0]?.['code'];
}

/** What the word "pour" of test/fixtures/answer.js writes. */
function lines(bytes: number): string {
  let text = '';
  for (let at = 0; at < bytes; at += 1024) text += `${at}`.padEnd(1023, '.') + '\n';
  return text;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
