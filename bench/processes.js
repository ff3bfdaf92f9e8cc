import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** Milliseconds after which a process is ended, whatever it does. */
const LIMIT = 120_000;

/** This process's environment but for what changes how fast Node starts. */
const { NODE_EXTRA_CA_CERTS: _, NODE_COMPILE_CACHE: __, NODE_OPTIONS: ___, ...inherited } = process.env;

/** Whether processor time can be measured: by bash, because Node does not return that of a child. */
export const hasBash = process.platform !== 'win32' && spawnSync('bash', ['-c', 'exit']).status === 0;

/** Runs a command, and writes the seconds that passed and its processor time to descriptor 3. */
const TIMED = `exec 4>&2 2>&3; TIMEFORMAT='%3R %3U %3S'; time "$@" 2>&4 3>&- 4>&-`;

/**
 * Milliseconds.
 * @typedef {object} Times
 * @property {number} wall
 * @property {number} cpu `NaN` without bash.
 */

/** Its own path: a start through a version manager would take longer. @returns {string | undefined} */
export function findPython() {
  const { status, stdout } = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** @param {string} name @returns {string} A program of this folder. */
export function program(name) {
  return fileURLToPath(new URL(`programs/${name}`, import.meta.url));
}

/**
 * From the start of a process to its exit, with status 0.
 * @param {string} command
 * @param {readonly string[]} argv
 * @param {Readonly<Record<string, string>>} [env]
 * @returns {Promise<Times>}
 */
export async function timesOf(command, argv, env = {}) {
  const began = performance.now();
  const shell = hasBash ? /** @type {const} */ (['bash', ['-c', TIMED, 'bash', command, ...argv]]) : undefined;
  const [started, args] = shell ?? [command, argv];
  const child = spawn(started, args, {
    env: { ...inherited, ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    timeout: LIMIT,
  });
  const output = child.stdio[3] instanceof Readable ? text(child.stdio[3]) : '';
  const [code, signal] = await once(child, 'exit');
  if (code !== 0) throw new Error(`Expected status 0 of ${command} ${argv.join(' ')}, got ${code ?? signal}.`);
  if (!shell) return { wall: performance.now() - began, cpu: NaN };
  const [real = NaN, user = NaN, system = NaN] = (await output).replaceAll(',', '.').split(' ').map(Number);
  return { wall: real * 1000, cpu: (user + system) * 1000 };
}

/**
 * Runs a Node process to its end.
 * @param {readonly string[]} argv
 * @param {Readonly<Record<string, string>>} [env]
 * @returns {Promise<number | null>} Its exit status.
 */
export async function exitOf(argv, env = {}) {
  const stdio = /** @type {const} */ (['ignore', 'ignore', 'inherit']);
  const child = spawn(process.execPath, argv, { env: { ...inherited, ...env }, stdio: [...stdio], timeout: LIMIT });
  const [code] = await once(child, 'exit');
  return code;
}

/** @type {Set<() => void>} */
const running = new Set();
process.once('exit', () => {
  for (const kill of running) kill();
});

/** A program that runs until it is stopped and exchanges messages; its first message reports that it is ready. */
export class Host {
  /**
   * @param {readonly string[]} argv
   * @param {Readonly<Record<string, string>>} [env]
   * @param {string} [command]
   */
  static async start(argv, env = {}, command = process.execPath) {
    const host = new Host(command, argv, env);
    await host.message();
    return host;
  }

  #child;
  /** @type {unknown[]} Messages that have not been read. */
  #messages = [];
  #exited;

  /**
   * @param {string} command
   * @param {readonly string[]} argv
   * @param {Readonly<Record<string, string>>} env
   */
  constructor(command, argv, env) {
    this.#child = spawn(command, argv, {
      env: { ...inherited, ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      timeout: 2 * LIMIT,
    });
    this.#exited = once(this.#child, 'exit');
    this.#child.on('message', (message) => this.#messages.push(message));
    running.add(this.#kill);
  }

  /** The next message; rejects if the program ends before. @returns {Promise<any>} */
  async message() {
    if (this.#messages.length === 0) {
      const ended = this.#exited.then(([code, signal]) => {
        throw new Error(`Expected a message of ${this.#child.spawnargs.join(' ')}; it ended with ${code ?? signal}.`);
      });
      await Promise.race([once(this.#child, 'message'), ended]);
    }
    return this.#messages.shift();
  }

  /** @param {string} question */
  async ask(question) {
    this.#child.send(question);
    return this.message();
  }

  async stop() {
    this.#kill();
    await this.#exited;
    running.delete(this.#kill);
  }

  #kill = () => void this.#child.kill('SIGKILL');
}
