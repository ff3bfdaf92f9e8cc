import { defineConfig } from 'rolldown';
import { dts } from 'rolldown-plugin-dts';

/** The printer of declarations puts a member's comment behind the member before it, where no editor finds it. */
const commentsOnLinesOfTheirOwn = {
  name: 'comments-on-lines-of-their-own',
  /** @param {string} code @param {{ fileName: string }} chunk */
  renderChunk: (code, { fileName }) =>
    fileName.endsWith('.d.ts') ? code.replaceAll(/([{;]) (\/\*\*)/g, '$1\n  $2') : null,
};

export default defineConfig({
  input: { index: 'src/index.ts' },
  platform: 'node',
  plugins: [dts({ oxc: true }), commentsOnLinesOfTheirOwn],
  output: { dir: 'dist', cleanDir: true, comments: false },
});
