import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import type { AppConfig } from '../fixtures/app.js';
import { fixture, freePort, type Program, run } from './program.ts';
import type { Runtime } from './runtimes.ts';

/** The programs of one test on one runtime. They end with the test at the latest. */
export class Trial {
  readonly #runtime: Runtime;
  readonly #onFinished: TestContext['onTestFinished'];

  /** Tests run beside each other: `onFinished` is that of the test's own context. */
  constructor(runtime: Runtime, onFinished: TestContext['onTestFinished']) {
    this.#runtime = runtime;
    this.#onFinished = onFinished;
  }

  /** Starts `test/fixtures/app.js`. */
  app(config: AppConfig, ...args: readonly string[]): Program {
    return this.#run('app.js', args, { APP: JSON.stringify(config) });
  }

  async appHost(config: AppConfig): Promise<Program> {
    const host = this.app(config);
    await host.line('host');
    return host;
  }

  async answerHost(port: number): Promise<Program> {
    const host = this.#answer(port, 'host');
    await host.line('host');
    return host;
  }

  /** Starts a launch of `test/fixtures/answer.js` that waits, at a host of the other trial. */
  async answeredBy(hostSide: Trial, ...words: readonly string[]): Promise<Program> {
    const port = await freePort();
    await hostSide.answerHost(port);
    return this.#answer(port, ...words);
  }

  /** A path for a socket. */
  async path(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'socket-singleton-'));
    this.#onFinished(() => rm(folder, { recursive: true, force: true }));
    return join(folder, 'app.sock');
  }

  /** A name for a pipe. */
  name(): string {
    const name = `test-${randomUUID()}`;
    this.#onFinished(() => rm(`/tmp/${name}-${process.geteuid?.()}`, { recursive: true, force: true }));
    return name;
  }

  #answer(port: number, ...words: readonly string[]): Program {
    return this.#run('answer.js', [`${port}`, '-', '-', ...words], {});
  }

  #run(file: string, args: readonly string[], more: NodeJS.ProcessEnv): Program {
    const { program, args: before, env } = this.#runtime;
    return run(program, [...before, fixture(file), ...args], { ...env, ...more }, this.#onFinished);
  }
}
