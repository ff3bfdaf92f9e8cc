import { defineConfig } from 'rolldown';
import { dts } from 'rolldown-plugin-dts';

/** The printer of declarations puts a member's comment behind the member before it, where no editor finds it. */
const commentsOnLinesOfTheirOwn = {
  name: 'comments-on-lines-of-their-own',
  /** @param {string} code @param {{ fileName: string }} chunk */
  renderChunk: (code, { fileName }) =>
    fileName.endsWith('.d.ts') ? code.replaceAll(/([{;]) (\/\*\*)/g, '$1\n  $2') : null,
};

/** What the other entries share with index.js they take from there, so that there is one class of errors, and one of each type. */
const sharedWithIndex = {
  name: 'shared-with-index',
  /** @param {string} source */
  resolveId: (source) =>
    /\/(errors|receipt|codec|transport)\.ts$/.test(source) ? { id: '../index.js', external: true } : null,
};

const plugins = [dts({ oxc: true }), commentsOnLinesOfTheirOwn];

export default defineConfig([
  {
    input: { index: 'src/index.ts' },
    platform: 'node',
    plugins,
    output: { dir: 'dist', cleanDir: true, comments: false },
  },
  {
    input: {
      json: 'src/codecs/json.ts',
      msgpack: 'src/codecs/msgpack.ts',
      'length-prefixed': 'src/codecs/length-prefixed.ts',
    },
    external: ['msgpackr/pack'],
    platform: 'node',
    plugins: [sharedWithIndex, ...plugins],
    output: { dir: 'dist/codecs', cleanDir: true, comments: false },
  },
  // One bundle for each: who imports one loads nothing of the others. The first of all has emptied the directory.
  ...['pipe', 'memory', 'compliance'].map(transport),
]);

/**
 * @param {string} name
 * @returns {import('rolldown').RolldownOptions}
 */
function transport(name) {
  return {
    input: { [name]: `src/transports/${name}.ts` },
    platform: 'node',
    plugins: [sharedWithIndex, ...plugins],
    output: { dir: 'dist/transports', comments: false },
  };
}
