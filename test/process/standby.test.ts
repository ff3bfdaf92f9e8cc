import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AppConfig } from '../fixtures/app.js';
import { freePort, launch, type Program } from '../helpers/program.ts';
import { socketFolder } from '../helpers/socket-folder.ts';

const STANDBY = { standby: true } as const;

const kinds: Readonly<Record<string, () => Promise<Omit<AppConfig, 'steps'>>>> = {
  'a port': async () => ({ options: { ...STANDBY, port: await freePort() } }),
  'a path': async () => ({ options: STANDBY, pipe: join(socketFolder(), 'app.sock') }),
};

// Windows has no SIGKILL, and named pipes of its own.
test.skipIf(process.platform === 'win32').each(Object.keys(kinds))(
  'of three programs in standby at %s, one follows a host that was killed, and then the next',
  async (kind) => {
    const config = await kinds[kind]?.();
    if (!config) throw new Error(`There is no kind ${kind}.`);
    const host = launch(config);
    await host.line('host');
    const waiting = Array.from({ length: 3 }, () => launch({ ...config, steps: ['wait', 'acquire'] }));
    await Promise.all(waiting.map((program) => program.line('waiting')));
    for (const program of waiting) program.writeLine();
    let last: Program = host;
    for (const followers = new Set(waiting); followers.size > 0; followers.delete(last)) {
      await last.kill();
      last = await Promise.race(Array.from(followers, (program) => program.line('host').then(() => program)));
      expect(Array.from(followers).filter((program) => program.all('host').length > 0)).toEqual([last]);
    }
  },
);
