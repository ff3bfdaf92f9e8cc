import { chmod, readFile, writeFile } from 'node:fs/promises';
import { build } from 'rolldown';
import { dts } from 'rolldown-plugin-dts';

const ENTRIES = [
  'index',
  'codecs/json',
  'codecs/msgpack',
  'codecs/length-prefixed',
  'transports/pipe',
  'transports/systemd',
  'transports/memory',
  'transports/lease',
  'transports/etcd',
  'transports/postgres',
  'transports/compliance',
];

/** The chunks besides the entries: what a launch reads, what only a secret needs, and what only a host needs. */
const CHUNKS = [
  { name: 'secure', test: /src\/protocol\/secure\// },
  { name: 'start', test: /src\/core\/start/ },
  { name: 'own-launch', test: /src\/core\/host\/own-launch/ },
  { name: 'host', test: /src\/(core\/host|protocol\/session\/terminal-output)/ },
  { name: 'legacy-host', test: /src\/protocol\/legacy\/(host|decoder)/ },
  { name: 'protocol-host', test: /src\/protocol\/(host|session\/(host-session|remote-stdio))/ },
  { name: 'msgpack-decode', test: /src\/codecs\/msgpack-decode/ },
  { name: 'lease-host', test: /src\/transports\/lease\/(host|acquire|holding)/ },
  { name: 'lease', test: /src\/transports\/lease\/(?!guarantees)/ },
  {
    name: 'core',
    test: /src\/(interface|core|transports\/(net|tcp)|codecs\/legacy|protocol\/(legacy|growing-buffer|read|utf8))/,
  },
  { name: 'protocol', test: /src\/(protocol|codecs\/(serializable|length-prefixed))/ },
];

/** Of the command, besides the entries: what its parts share, what only hosts need, and the texts of the help. */
const COMMAND_CHUNKS = [
  { name: 'launch', test: /src\/cli\/launch/ },
  { name: 'texts', test: /src\/cli\/help\/texts/ },
  { name: 'common', test: /src\/cli\/(arguments|command|endpoint|exit-status|output|syntax)\.ts/ },
];

/** What only a decoder of MessagePack needs; its user installs it. */
const EXTERNAL = ['msgpackr/unpack'];

/**
 * What an entry loads later. A bundler may place it after a program that awaits it at its top level, which then fails. So
 * bundlers get an entry that imports it at once (the condition "module" of package.json).
 */
const LATER = {
  index: ['host', 'legacy-host', 'own-launch', 'start'],
  'codecs/json': ['protocol-host', 'secure'],
  'codecs/msgpack': ['protocol-host', 'secure', 'msgpack-decode', 'msgpackr/unpack'],
  'codecs/length-prefixed': ['protocol-host', 'secure'],
  'transports/lease': ['lease-host'],
  'transports/etcd': ['lease-host'],
  'transports/postgres': ['lease-host'],
};

/** An entry whose module is in a chunk, so that other entries do not load one file more. */
const LENGTH_PREFIXED = 'entry:length-prefixed';
const entryOfAChunk = {
  name: 'entry-of-a-chunk',
  /** @param {string} id */
  resolveId: (id) => (id === LENGTH_PREFIXED ? id : null),
  /** @param {string} id */
  load: (id) => (id === LENGTH_PREFIXED ? `export { lengthPrefixed } from './src/codecs/length-prefixed.ts';` : null),
};

const entriesForBundlers = {
  name: 'entries-for-bundlers',
  /** @this {import('rolldown').PluginContext} */
  generateBundle() {
    for (const [entry, chunks] of Object.entries(LATER)) {
      const path = (/** @type {string} */ chunk) => (EXTERNAL.includes(chunk) ? chunk : `../${chunk}.js`);
      const imports = chunks.map((chunk) => `import '${path(chunk)}';\n`).join('');
      const fileName = `bundled/${entry.replace(/^(codecs|transports)\//, '')}.js`;
      this.emitFile({ type: 'asset', fileName, source: `${imports}export * from '../${entry}.js';\n` });
    }
  },
};

/** The printer of declarations puts a member's comment behind the member before it, where no editor finds it. */
const commentsOnLinesOfTheirOwn = {
  name: 'comments-on-lines-of-their-own',
  /** @param {string} code @param {{ fileName: string }} chunk */
  renderChunk: (code, { fileName }) =>
    fileName.endsWith('.d.ts') ? code.replaceAll(/([{;]) (\/\*\*)/g, '$1\n  $2') : null,
};

/** To import a module of Node takes some tenths of a millisecond more of a launch than to call for it. */
const builtinsByCall = {
  name: 'builtins-by-call',
  /** @param {string} source */
  renderChunk(source) {
    const code = source.replaceAll(
      /^import \{ ([^}]+) \} from ("node:[\w/]+");$/gm,
      (_, names, id) => `const { ${names.replaceAll(' as ', ': ')} } = process.getBuiltinModule(${id});`,
    );
    if (/^import .*"node:/m.test(code)) throw new Error('Expected only named imports of the modules of Node.');
    // Each line stays where it is.
    return { code, map: null };
  },
};

const input = Object.fromEntries(ENTRIES.map((entry) => [entry, `src/${entry}.ts`]));
/** What is loaded later, as entries: so a chunk exports what its file does, without an object around it. */
const later = {
  secure: 'src/protocol/secure/handshake.ts',
  host: 'src/core/host/index.ts',
  start: 'src/core/start/starter.ts',
  'own-launch': 'src/core/host/own-launch.ts',
  'legacy-host': 'src/protocol/legacy/host.ts',
  'protocol-host': 'src/protocol/host.ts',
  'msgpack-decode': 'src/codecs/msgpack-decode.ts',
  'lease-host': 'src/transports/lease/host.ts',
};
/** Names stay, so that a stack trace can be read. */
const readable = {
  chunkFileNames: '[name].js',
  comments: false,
  minify: { mangle: false, compress: true, codegen: false },
  sourcemap: true,
};
const common = { input, external: EXTERNAL, platform: /** @type {const} */ ('node') };

/** The files of the library, which the command imports as they are published. */
const publishedLibrary = {
  name: 'published-library',
  /** @param {string} id @param {string | undefined} importer */
  resolveId: (id, importer) => {
    const [, path] = /^(?:\.\.\/)+((?:index|codecs\/.+|transports\/.+)\.)ts$/.exec(id) ?? [];
    return path && importer?.includes('/src/cli/') ? { id: `../${path}js`, external: true } : null;
  },
};

await build([
  {
    ...common,
    input: { ...input, ...later, 'codecs/length-prefixed': LENGTH_PREFIXED },
    // The groups take no more than what their names say.
    preserveEntrySignatures: 'allow-extension',
    plugins: [entryOfAChunk, entriesForBundlers, builtinsByCall],
    output: {
      ...readable,
      dir: 'dist',
      cleanDir: true,
      codeSplitting: { groups: CHUNKS, includeDependenciesRecursively: false },
    },
  },
  {
    ...common,
    plugins: [dts({ oxc: true, emitDtsOnly: true }), commentsOnLinesOfTheirOwn],
    output: { dir: 'dist', chunkFileNames: 'types/[name].d.ts' },
  },
]);

// After the others, which empty the folder.
await build({
  input: {
    index: 'src/cli/index.ts',
    main: 'src/cli/main.ts',
    report: 'src/cli/report.ts',
    help: 'src/cli/help/index.ts',
  },
  preserveEntrySignatures: 'allow-extension',
  platform: 'node',
  plugins: [publishedLibrary, builtinsByCall],
  output: {
    ...readable,
    dir: 'dist/cli',
    codeSplitting: { groups: COMMAND_CHUNKS, includeDependenciesRecursively: false },
  },
});

const { version } = JSON.parse(await readFile('package.json', 'utf8'));
const { manualPage } = await import(new URL('dist/cli/help.js', import.meta.url).href);
await writeFile('dist/socket-singleton.1', manualPage(version));
// npm does so when it installs the package.
await chmod('dist/cli/index.js', 0o755);
