import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { fixture, freePort, type Program, run } from '../helpers/program.ts';
import { python } from '../helpers/python.ts';

const hasTerminals =
  python !== undefined && process.platform !== 'win32' && spawnSync(python, ['-c', 'import pty']).status === 0;
if (!hasTerminals) console.warn('Not tested, for want of python3 and its module pty: launches in a terminal.');

const NO_TERMINAL = { isTTY: false, columns: -1, rows: -1, size: [0, 0], depth: 1, colors: false };

/** What Node takes for a terminal with 16 million colours. */
const ENV = {
  TERM: 'xterm-256color',
  COLORTERM: 'truecolor',
  TERM_PROGRAM: undefined,
  TMUX: undefined,
  CI: undefined,
  TEAMCITY_VERSION: undefined,
  NO_COLOR: undefined,
  NODE_DISABLE_COLORS: undefined,
  FORCE_COLOR: undefined,
};

interface Endpoint {
  readonly host: Program;
  readonly port: number;
}

async function startHost(): Promise<Endpoint> {
  const port = await freePort();
  const host = run(process.execPath, [fixture('terminal.js'), `${port}`]);
  await host.line('host');
  return { host, port };
}

/** A launch that waits. */
function launch({ port }: Endpoint, signals: string, word: string): Program {
  return run(process.execPath, [fixture('terminal.js'), `${port}`, signals, word]);
}

/** The same in a terminal of 80 by 24. */
function launchInTerminal({ port }: Endpoint, signals: string, word: string): Terminal {
  return runInTerminal([process.execPath, fixture('terminal.js'), `${port}`, signals, word]);
}

function runInTerminal(command: readonly string[]): Terminal {
  return new Terminal(run(python ?? '', [fixture('in-terminal.py'), '80', '24', ...command], ENV));
}

class Terminal {
  readonly #program: Program;

  constructor(program: Program) {
    this.#program = program;
  }

  /** Resolves when the launch has printed this. */
  async shows(text: string): Promise<void> {
    await this.#program.line('screen', (line) => String(line['text']).includes(text));
  }

  press(keys: string): void {
    this.#program.writeLine(JSON.stringify(['write', keys]));
  }

  resize(columns: number, rows: number): void {
    this.#program.writeLine(JSON.stringify(['resize', columns, rows]));
  }

  /** How the launch has ended. */
  async ended(): Promise<unknown> {
    const { event: _, ...how } = await this.#program.line('ended');
    return how;
  }
}

const CTRL_C = '\u{3}';
const SIGINT = 2;

describe.runIf(hasTerminals)('a launch in a terminal', () => {
  test('sends what its outputs are, and each new size of its window', async () => {
    const endpoint = await startHost();
    const terminal = launchInTerminal(endpoint, '-', 'ignore');
    const described = { isTTY: true, columns: 80, rows: 24, size: [80, 24], depth: 24, colors: true };
    expect(await endpoint.host.line('client')).toMatchObject({ stdout: described, stderr: described });
    await terminal.shows('ready');

    terminal.resize(132, 50);

    for (const name of ['stdout', 'stderr']) {
      const line = await endpoint.host.line('resize', ({ [name]: output }) => JSON.stringify(output).includes('132'));
      expect(line[name]).toEqual({ ...described, columns: 132, rows: 50, size: [132, 50] });
    }
  });

  test('sends no terminal for an output that is a pipe', async () => {
    const endpoint = await startHost();
    const words = [process.execPath, fixture('terminal.js'), endpoint.port, '-', 'ignore'];
    runInTerminal(['sh', '-c', `${words.map((word) => `'${word}'`).join(' ')} | cat`]);
    expect(await endpoint.host.line('client')).toMatchObject({ stdout: NO_TERMINAL, stderr: { isTTY: true } });
  });

  test('forwards Ctrl-C to the host, whose listener sets the result', async () => {
    const endpoint = await startHost();
    const terminal = launchInTerminal(endpoint, 'SIGINT', 'answer');
    await terminal.shows('ready');
    terminal.press(CTRL_C);
    expect(await terminal.ended()).toEqual({ code: 1 });
    expect(endpoint.host.all('gone')).toEqual([]);
  });

  test('forwards each Ctrl-C, and goes on meanwhile', async () => {
    const endpoint = await startHost();
    const terminal = launchInTerminal(endpoint, 'SIGINT', 'count');
    await terminal.shows('ready');
    for (const count of [1, 2]) {
      terminal.press(CTRL_C);
      await terminal.shows(`SIGINT ${count}`);
    }
    terminal.press(CTRL_C);
    expect(await terminal.ended()).toEqual({ code: 3 });
  });

  test('ends with status 130 if it forwards Ctrl-C and nobody on the host listens', async () => {
    const endpoint = await startHost();
    const terminal = launchInTerminal(endpoint, 'SIGINT', 'ignore');
    await terminal.shows('ready');
    terminal.press(CTRL_C);
    expect(await terminal.ended()).toEqual({ code: 130 });
    expect((await endpoint.host.line('gone'))['reason']).toContain('SIGINT');
  });

  test('is ended by Ctrl-C if it does not forward it, although the host listens', async () => {
    const endpoint = await startHost();
    const terminal = launchInTerminal(endpoint, 'SIGTERM', 'answer');
    await terminal.shows('ready');
    terminal.press(CTRL_C);
    expect(await terminal.ended()).toEqual({ signal: SIGINT });
    expect((await endpoint.host.line('gone'))['reason']).toContain('disconnected');
  });
});

describe.skipIf(process.platform === 'win32')('a launch that is not in a terminal', () => {
  test('sends no terminals', async () => {
    const endpoint = await startHost();
    launch(endpoint, '-', 'ignore');
    expect(await endpoint.host.line('client')).toMatchObject({ stdout: NO_TERMINAL, stderr: NO_TERMINAL });
  });

  test('forwards SIGTERM to the host', async () => {
    const endpoint = await startHost();
    const launched = launch(endpoint, 'SIGINT,SIGTERM', 'answer');
    await launched.line('ready');
    launched.signal('SIGTERM');
    expect(await launched.exited()).toEqual({ code: 0, signal: null });
  });
});
