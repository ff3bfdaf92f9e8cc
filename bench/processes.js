import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Milliseconds after which a process is ended, whatever it does. */
const LIMIT = 120_000;

/** This process's environment but for what costs each start of Node 20 tens of milliseconds. */
const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;

/** @param {string} name @returns {string} A program of this folder. */
export function program(name) {
  return fileURLToPath(new URL(`programs/${name}`, import.meta.url));
}

/**
 * Milliseconds from the spawn of a Node process to its exit, with status 0.
 * @param {readonly string[]} argv
 * @param {Readonly<Record<string, string>>} [env]
 */
export async function timeToExit(argv, env) {
  const began = performance.now();
  const { code, signal } = await exitOf(argv, env);
  if (code !== 0) throw new Error(`Expected status 0 of node ${argv.join(' ')}, got ${code ?? signal}.`);
  return performance.now() - began;
}

/**
 * Runs a Node process to its end.
 * @param {readonly string[]} argv
 * @param {Readonly<Record<string, string>>} [env]
 */
export async function exitOf(argv, env = {}) {
  const child = spawn(process.execPath, argv, {
    env: { ...inherited, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: LIMIT,
  });
  const [code, signal] = await once(child, 'exit');
  return { code, signal };
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
   */
  static async start(argv, env) {
    const host = new Host(argv, env);
    await host.message();
    return host;
  }

  #child;
  /** @type {unknown[]} Messages that have not been read. */
  #messages = [];
  #exited;

  /**
   * @param {readonly string[]} argv
   * @param {Readonly<Record<string, string>>} [env]
   */
  constructor(argv, env = {}) {
    this.#child = spawn(process.execPath, argv, {
      env: { ...inherited, ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      timeout: LIMIT,
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
