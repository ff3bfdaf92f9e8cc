import { defineConfig } from 'rolldown';
import { parseAst } from 'rolldown/parseAst';
import { dts } from 'rolldown-plugin-dts';

/** The printer of declarations puts a member's comment behind the member before it, where no editor finds it. */
const commentsOnLinesOfTheirOwn = {
  name: 'comments-on-lines-of-their-own',
  /** @param {string} code @param {{ fileName: string }} chunk */
  renderChunk: (code, { fileName }) =>
    fileName.endsWith('.d.ts') ? code.replaceAll(/([{;]) (\/\*\*)/g, '$1\n  $2') : null,
};

/**
 * What the other files share with index.js they take from there, so that there is one class of errors, and one of each type.
 * @param {string} index
 */
const sharedWithIndex = (index) => ({
  name: 'shared-with-index',
  /** @param {string} source */
  resolveId: (source) =>
    /\/(errors|receipt|codec|transport)\.ts$/.test(source) ? { id: index, external: true } : null,
});

/** What only a host needs is a file of its own, beside the one that loads it: launches do not read it. */
const loadedByHosts = {
  name: 'loaded-by-hosts',
  /** @param {string} source */
  resolveId: (source) => {
    const [, name] = /^\.\/(host|(?:legacy|schema)-receiving|receiving|msgpack-decoder)\.ts$/.exec(source) ?? [];
    return name ? { id: `./${name.replace(/^.+-receiving$/, 'host')}.js`, external: true } : null;
  },
};

/** A line for each statement and each member of a class: an uncaught error prints the line that it comes from. */
const lines = {
  name: 'lines',
  /** @param {unknown} _ @param {import('rolldown').OutputBundle} bundle */
  generateBundle: (_, bundle) => {
    for (const file of Object.values(bundle)) {
      if (file.type !== 'chunk' || !file.fileName.endsWith('.js')) continue;
      const { code } = file;
      const ends = endsOf(parseAst(code)).filter((end) => code[end] !== '}');
      const starts = Array.from(new Set([0, ...ends])).toSorted((a, b) => a - b);
      const inLines = starts.map((start, index) => code.slice(start, starts[index + 1])).join('\n');
      // Some who follow imports know only names in quotation marks.
      file.code = inLines.replaceAll(/import\(`([^`$]*)`\)/g, 'import("$1")');
    }
  },
};

/** Where statements and members end. @param {unknown} node @returns {number[]} */
function endsOf(node) {
  if (typeof node !== 'object' || node === null) return [];
  const ends = Object.values(node).flatMap(endsOf);
  if ('body' in node && Array.isArray(node.body)) ends.push(...node.body.map(({ end }) => end));
  return ends;
}

const types = [dts({ oxc: true }), commentsOnLinesOfTheirOwn];

/**
 * Each launch reads it. Classes keep their names, which errors show.
 * @type {import('rolldown').OutputOptions}
 */
const small = {
  comments: false,
  codeSplitting: false,
  minify: {
    mangle: { toplevel: true, keepNames: { class: true, function: false } },
    compress: true,
  },
};

const CODECS = ['codecs/json', 'codecs/msgpack', 'codecs/length-prefixed'];
const TRANSPORTS = ['transports/pipe', 'transports/memory', 'transports/compliance'];

// One file for each entry: who imports one loads one. The first of a directory empties it.
export default defineConfig([
  entry('index', 'dist', [loadedByHosts, ...types], { cleanDir: true }),
  entry('host', 'dist', [sharedWithIndex('./index.js')]),
  ...CODECS.map((file) => entry(file, 'dist/codecs', [loadedByHosts, sharedWithIndex('../index.js'), ...types])),
  ...['protocol/receiving', 'codecs/msgpack-decoder'].map((file) =>
    entry(file, 'dist/codecs', [sharedWithIndex('../index.js')]),
  ),
  ...TRANSPORTS.map((file) => entry(file, 'dist/transports', [sharedWithIndex('../index.js'), ...types])),
  // For bundlers, which may put a file that is loaded later behind a program that waits for it: all in one.
  entry('index', 'dist/bundled', []),
  ...CODECS.map((file) => entry(file, 'dist/bundled', [sharedWithIndex('./index.js')])),
  ...TRANSPORTS.map((file) => entry(file, 'dist/bundled', [sharedWithIndex('./index.js')])),
]);

/**
 * @param {string} file
 * @param {string} dir
 * @param {import('rolldown').RolldownPluginOption[]} plugins
 * @param {import('rolldown').OutputOptions} [output]
 * @returns {import('rolldown').RolldownOptions}
 */
function entry(file, dir, plugins, output) {
  return {
    input: `src/${file}.ts`,
    external: ['msgpackr/pack'],
    platform: 'node',
    plugins: [lines, ...plugins],
    output: { ...small, ...output, dir },
  };
}
