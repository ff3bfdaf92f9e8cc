import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inheritedEnv } from './program.ts';

const cache = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));

/** The program of another version of Node, from the registry's package of it; `undefined` if it cannot be installed. */
export async function otherNode(major: number): Promise<string | undefined> {
  const name = `node-linux-${process.arch}`;
  const folder = join(cache, `node-${major}`);
  const program = join(folder, 'node_modules', name, 'bin', 'node');
  if (process.platform !== 'linux') return undefined;
  try {
    await access(program).catch(() =>
      promisify(execFile)('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', `${name}@${major}`], {
        env: inheritedEnv(),
      }),
    );
    const { stdout } = await promisify(execFile)(program, ['--version'], { env: inheritedEnv() });
    return stdout.startsWith(`v${major}.`) ? program : undefined;
  } catch (error) {
    console.warn(error);
    return undefined;
  }
}
