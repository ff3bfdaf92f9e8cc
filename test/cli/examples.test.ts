import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { COMMANDS } from '../../src/cli/help/texts.ts';
import { json } from '../../src/codecs/json.ts';
import { type Client, legacy, Singleton } from '../../src/index.ts';
import { pipe } from '../../src/transports/pipe.ts';
import { bash, COMMAND, command, execute, sh } from '../helpers/command-line.ts';
import { freePort, type Program, waitUntil } from '../helpers/program.ts';
import { pipeName, socketFolder } from '../helpers/socket-folder.ts';

/** Where an example is run: a folder, and endpoints of this test alone. */
class Place {
  readonly folder = socketFolder();
  readonly received: unknown[] = [];

  readonly #names = new Map<string, string>();

  constructor() {
    this.program('socket-singleton', `exec "${process.execPath}" "${COMMAND}" "$@"`);
  }

  /** The name of an endpoint, here. */
  name(word: string): string {
    const name = this.#names.get(word) ?? pipeName(word);
    this.#names.set(word, name);
    return name;
  }

  /** A program that an example calls. */
  program(name: string, script: string): void {
    writeFileSync(join(this.folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(this.folder, name), 0o755);
  }

  async host(options: { readonly port?: number; readonly name?: string }): Promise<void> {
    const app = new Singleton<unknown>({
      ...(options.name === undefined ? { port: options.port } : { transport: pipe({ name: options.name }) }),
      codec: [json(), legacy()],
      args: [],
      allowReplace: true,
    });
    onTestFinished(() => app.release());
    await app.acquire();
    app.handle((args: unknown, { waiting }: Client) => {
      this.received.push(args);
      return waiting ? { done: args } : undefined;
    });
  }

  /** Runs a line of a person. */
  run(line: string): Program {
    const own = line.replaceAll(/(?<!make )\b(backup|deploy|editor|inbox|counter)(?= --|$| \||;| &&| <)/g, (word) =>
      this.name(word),
    );
    // In the shell of scripts and cron, unless the line is for bash alone.
    const shell = line.includes('<(') ? bash : sh;
    return shell('cd "$1"; export HOME="$1" PATH="$1:$PATH"; eval "$2"', this.folder, own);
  }
}

const exited = async (program: Program): Promise<readonly [status: number | null, stdout: string]> => {
  const { code } = await program.exited();
  expect(program.stderr).toBe('');
  return [code, program.stdout];
};

const isListening = (name: string): Promise<void> =>
  waitUntil('a host', async () => (await execute('status', name)).status === 0);

/** What happens with each example, by its command and its place. */
const CHECKS: Readonly<Record<string, (line: string, place: Place) => Promise<void>>> = {
  async 'run 1'(line, place) {
    place.program('backup.sh', 'echo a backup');
    expect(await exited(place.run(line))).toEqual([0, 'a backup\n']);
  },
  async 'run 2'(line, place) {
    place.program('make', 'echo "made $1"; exit 2');
    expect(await exited(place.run(line))).toEqual([2, 'made deploy\n']);
  },
  async 'send 1'(line, place) {
    await place.host({ name: place.name('editor') });
    expect(await exited(place.run(line))).toEqual([0, '']);
    await waitUntil('the launch', async () => place.received.length === 1);
    expect(place.received).toEqual([['open', 'notes.txt']]);
  },
  async 'send 2'(line, place) {
    const port = await freePort();
    await place.host({ port });
    expect(await exited(place.run(line.replace('21337', `${port}`)))).toEqual([0, '{"done":{"file":"a.ts"}}\n']);
  },
  async 'listen 1'(line, place) {
    const host = place.run(line);
    await isListening(place.name('inbox'));
    await execute('send', '--codec', 'legacy', 'a\nb', place.name('inbox'));
    await host.printed(String.raw`{"args":["a\nb"]}`);
  },
  async 'listen 2'(line, place) {
    place.run(line);
    await isListening(place.name('counter'));
    writeFileSync(join(place.folder, '-n.txt'), 'twelve bytes');
    const client = place.run(`socket-singleton send --wait -- -n.txt counter </dev/null`);
    expect(await exited(client)).toEqual([0, '12 -n.txt\n']);
  },
  async 'status 1'(line, place) {
    await place.host({ name: place.name('editor') });
    expect(await exited(place.run(line))).toEqual([0, expect.stringContaining(`pid       ${process.pid}\n`)]);
  },
  async 'status 2'(line, place) {
    await place.host({ name: place.name('editor') });
    expect(await exited(place.run(line))).toEqual([0, expect.stringContaining(`"pid":${process.pid},`)]);
  },
  async 'stop 1'(line, place) {
    await place.host({ name: place.name('editor') });
    expect(await exited(place.run(line))).toEqual([0, '']);
    expect((await execute('status', place.name('editor'))).status).toBe(3);
  },
  async 'stop 2'(line, place) {
    const host = command('listen', '--allow-stop', place.name('editor'));
    await isListening(place.name('editor'));
    expect(await exited(place.run(line))).toEqual([0, 'stopped\n']);
    expect(await host.exited()).toEqual({ code: 0, signal: null });
  },
  async 'secret 1'(line, place) {
    expect(await exited(place.run(line))).toEqual([0, '']);
    const file = join(place.folder, 'secret');
    expect([statSync(file).mode & 0o777, readFileSync(file, 'utf8').length]).toEqual([0o600, 44]);
    // And host and client take it.
    command('listen', '--secret-file', file, place.name('inbox'));
    await waitUntil(
      'a host',
      async () => (await execute('status', '--secret-file', file, place.name('inbox'))).status === 0,
    );
    expect((await execute('send', 'x', place.name('inbox'))).status).toBe(4);
    expect((await execute('send', '--secret-file', file, 'proven', place.name('inbox'))).status).toBe(0);
  },
  async 'secret 2'(line, place) {
    expect(await exited(place.run(`${line}; echo "\${#APP_SECRET}"`))).toEqual([0, '43\n']);
  },
  async 'completion 1'(line, place) {
    const [status, stdout] = await exited(place.run(`${line}; complete -p socket-singleton`));
    expect([status, stdout]).toEqual([0, expect.stringContaining('_socket_singleton')]);
  },
  async 'completion 2'(line, place) {
    const folder = join(place.folder, '.config/fish/completions');
    mkdirSync(folder, { recursive: true });
    expect(await exited(place.run(line))).toEqual([0, '']);
    expect(readFileSync(join(folder, 'socket-singleton.fish'), 'utf8')).toContain('complete -c socket-singleton');
  },
};

const examples = COMMANDS.flatMap(({ name, examples: two }) =>
  two.map(({ line }, index) => ({ key: `${name} ${index + 1}`, line })),
);

test.skipIf(process.platform === 'win32').each(examples)(
  'the example "$line" does what it says',
  async ({ key, line }) => {
    const check = CHECKS[key];
    if (!check) throw new Error(`There is no check of the example ${key}.`);
    await check(line, new Place());
  },
);
