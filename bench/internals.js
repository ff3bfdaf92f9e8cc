import { mkdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

/**
 * Internals that no entry of the package exports.
 * @typedef {object} Internals
 * @property {import('../src/codecs/length-prefixed.ts').LengthPrefixedOptions<any, any>} json Of the codec, its serializer.
 * @property {import('../src/codecs/length-prefixed.ts').LengthPrefixedOptions<any, any>} msgpack
 * @property {typeof import('../src/protocol/legacy/message.ts').encode} encodeLegacy
 * @property {typeof import('../src/protocol/legacy/decoder.ts').LegacyDecoder} LegacyDecoder
 * @property {typeof import('../src/protocol/frames.ts').frames} frames
 * @property {typeof import('../src/protocol/launch.ts').encodeLaunch} encodeLaunch
 * @property {typeof import('../src/protocol/launch.ts').decodeLaunch} decodeLaunch
 * @property {typeof import('../src/protocol/secure/handshake.ts').initiate} initiate
 * @property {typeof import('../src/protocol/secure/handshake.ts').tryRespond} tryRespond
 */

const EXPORTS = `
  import { json as openJson } from './codecs/json.ts';
  import { msgpack as openMsgpack } from './codecs/msgpack.ts';
  export const json = openJson();
  export const msgpack = openMsgpack();
  await msgpack.load?.();
  export { encode as encodeLegacy } from './protocol/legacy/message.ts';
  export { LegacyDecoder } from './protocol/legacy/decoder.ts';
  export { frames } from './protocol/frames.ts';
  export { encodeLaunch, decodeLaunch } from './protocol/launch.ts';
  export { initiate, tryRespond } from './protocol/secure/handshake.ts';
`;

const SOURCE = fileURLToPath(new URL('../src/', import.meta.url));
/** From here the bundle finds `msgpackr`. */
const FOLDER = new URL(`../node_modules/.cache/bench/${process.pid}/`, import.meta.url);

/** Provides the entry, and makes each codec return the options that it was created with. */
const unwrapCodecs = {
  name: 'unwrap-codecs',
  /** @param {string} source */
  resolveId: (source) => {
    if (source === 'internals') return `${SOURCE}internals.js`;
    return source === './length-prefixed.ts' ? '\0length-prefixed' : null;
  },
  /** @param {string} id */
  load: (id) => {
    if (id === `${SOURCE}internals.js`) return EXPORTS;
    return id === '\0length-prefixed' ? 'export const lengthPrefixed = (options) => options;' : null;
  },
};

/** Bundles and loads them. @returns {Promise<Internals>} */
export async function internals() {
  const bundle = await rolldown({
    input: 'internals',
    external: ['msgpackr/unpack'],
    platform: 'node',
    plugins: [unwrapCodecs],
  });
  const { output } = await bundle.generate({ codeSplitting: false });
  await bundle.close();
  const file = new URL('internals.mjs', FOLDER);
  await mkdir(FOLDER, { recursive: true });
  await writeFile(file, output[0].code);
  try {
    return await import(file.href);
  } finally {
    await rm(FOLDER, { recursive: true });
  }
}
