import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { get } from 'node:http';
import { dirname } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { Singleton } from '../../src/index.ts';
import { pipe } from '../../src/transports/pipe.ts';
import { commandsOf, example } from '../helpers/examples.ts';
import { connect, freePort, isRunning, type Program, run, waitUntil } from '../helpers/program.ts';

/** So many that connections wait in the queue of the socket at each instant. */
const CLIENTS = 32;
/** How many answers of the new version each client waits for. */
const ANSWERS = 10;

const file = example('web/server.js');
const codec = json<{ file: string; version: string }>();

describe.skipIf(process.platform === 'win32')('examples/web', () => {
  let port: number;
  let blue: Program;

  beforeEach(async () => {
    port = await freePort();
    const { endpoint } = endpointOf(port);
    onTestFinished(() => rmSync(dirname(endpoint.replace('unix://', '')), { recursive: true }));
    blue = start('blue');
    // Before `blue` is waited for: a version that it has started holds its stdout, too.
    onTestFinished(stopHost);
    await blue.printed('blue serves');
  });

  it('prints what its README shows', async () => {
    const [commands = []] = commandsOf('web');
    const shown = commands.flatMap(({ output }) => output).map((line) => generalize(line));
    const before = await request();
    const green = start('green');
    expect((await green.exited()).code).toBe(0);
    const after = await request();
    await stopHost();
    await blue.exited();
    const [first, ...more] = blue.stdout.trimEnd().split('\n');
    const printed = [first, before, ...more, green.stdout, after].map((line = '') => generalize(line.trimEnd()));

    expect(printed).toEqual(shown);
    expect(green.stderr + blue.stderr).toBe('');
  });

  it('refuses and resets no connection during a takeover', async () => {
    let green: Program | undefined;
    const clients = Array.from({ length: CLIENTS }, async () => {
      const answers: string[] = [];
      while (answers.filter((answer) => answer.startsWith('green')).length < ANSWERS) {
        answers.push(await request());
        if (green?.hasExited) expect((await green.exited()).code).toBe(0);
      }
      return answers;
    });
    await setImmediate();
    green = start('green');
    const answers = await Promise.all(clients);

    expect(new Set(answers.flat().map((answer) => answer.split(',')[0]))).toEqual(new Set(['blue', 'green']));
    await blueHasEnded();
    expect(await request()).toMatch(/^green/);
  });

  it('answers a connection that the old version has accepted, and then ends it', async () => {
    const socket = await connect(port);
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n');
    await request(); // accepted later, so that the one before is accepted, too
    const green = start('green');
    expect((await green.exited()).code).toBe(0);
    const answer = text(socket);
    socket.write('\r\n');

    expect(await answer).toMatch(/^HTTP\/1.1 200 OK\r\nConnection: close\r\n.*\r\n\r\n.*blue, process \d+\n/s);
    await blueHasEnded();
  });

  it('goes on if the new version does not start, and says so', async () => {
    const stderr = new PassThrough();
    const args = { file: `${file}.missing`, version: 'red' };
    const { exitCode } = await Singleton.send({ transport: endpointOf(port), codec, args, wait: true, stderr });

    expect(exitCode).toBe(1);
    expect(stderr.setEncoding('utf8').read()).toBe('red does not serve: Error: its process has ended\n');
    expect(await request()).toMatch(/^blue/);
  });

  it('ends with one version if two are started at once', async () => {
    const launches = ['green', 'violet'].map((version) => start(version));
    for (const launch of launches) expect((await launch.exited()).code, launch.stderr).toBe(0);
    await blueHasEnded();

    const host = await Singleton.status({ transport: endpointOf(port), codec });
    expect(await request()).toBe(`${host?.version}, process ${host?.pid}\n`);
  });

  function start(version: string): Program {
    return run(process.execPath, [file, version], { PORT: `${port}` });
  }

  /** One request with a connection of its own. Rejects if it is refused or reset. */
  async function request(): Promise<string> {
    const [response] = await once(get({ host: '127.0.0.1', port, agent: false }), 'response');
    return text(response);
  }

  /** Its process; its stdout is open as long as a version that it has started runs. */
  async function blueHasEnded(): Promise<void> {
    await waitUntil('the old version to end', async () => {
      await setImmediate();
      return !isRunning(blue.pid);
    });
  }

  /** Ends the version that serves, as a person does. Those before it have ended or are about to. */
  async function stopHost(): Promise<void> {
    const host = await Singleton.status({ transport: endpointOf(port), codec });
    if (host?.pid !== undefined) process.kill(host.pid);
  }
});

function endpointOf(port: number): ReturnType<typeof pipe> {
  return pipe({ name: `web-${port}` });
}

function generalize(line: string): string {
  return line.replaceAll(/(process|:)( ?)\d+/g, '$1$2N');
}
