import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { gzipSync } from 'node:zlib';

const DIST = new URL('../../dist/', import.meta.url);
const ENTRIES = ['index.js', 'codecs/json.js', 'codecs/msgpack.js'];

/** The size of an entry with all that it imports of the package, gzipped. */
export async function size() {
  const rows = [];
  for (const entry of ENTRIES) {
    const files = await filesOf(new URL(entry, DIST));
    const bytes = Array.from(files.values(), (code) => gzipSync(code, { level: 9 }).length);
    const value = bytes.reduce((sum, one) => sum + one, 0) / 1024;
    const what = /** @type {const} */ ({ group: 'size', name: basename(entry), against: '', unit: 'KiB' });
    rows.push({ ...what, value, low: value, high: value, rounds: 1 });
  }
  return rows;
}

/**
 * A file, and all that it imports before it runs.
 * @param {URL} file
 * @param {Map<string, string>} [files]
 */
async function filesOf(file, files = new Map()) {
  if (files.has(file.href)) return files;
  const code = await readFile(file, 'utf8');
  files.set(file.href, code);
  for (const [, path = ''] of code.matchAll(/(?:from|^import|;import) ?["'](\.[^"']*)["']/gm)) {
    await filesOf(new URL(path, file), files);
  }
  return files;
}
