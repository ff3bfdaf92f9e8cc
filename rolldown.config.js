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

/**
 * Each launch reads it. Classes keep their names, and lines stay lines: an uncaught error prints the line that it comes from.
 * @type {import('rolldown').OutputOptions}
 */
const small = {
  comments: false,
  minify: {
    mangle: { toplevel: false, keepNames: { class: true, function: false } },
    compress: true,
    codegen: { removeWhitespace: false },
  },
};

// One bundle for each entry: who imports one loads one file. The first of a directory empties it.
export default defineConfig([
  {
    input: { index: 'src/index.ts' },
    platform: 'node',
    plugins,
    output: { ...small, dir: 'dist', cleanDir: true },
  },
  ...['json', 'msgpack', 'length-prefixed'].map((name) => part('codecs', name)),
  ...['pipe', 'memory', 'compliance'].map((name) => part('transports', name)),
]);

/**
 * @param {'codecs' | 'transports'} kind
 * @param {string} name
 * @returns {import('rolldown').RolldownOptions}
 */
function part(kind, name) {
  return {
    input: { [name]: `src/${kind}/${name}.ts` },
    external: ['msgpackr/pack'],
    platform: 'node',
    plugins: [sharedWithIndex, ...plugins],
    output: { ...small, dir: `dist/${kind}`, codeSplitting: false },
  };
}
