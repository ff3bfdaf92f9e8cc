import { defineConfig } from 'rolldown';
import { dts } from 'rolldown-plugin-dts';

export default defineConfig({
  input: { index: 'src/index.ts' },
  platform: 'node',
  plugins: [dts({ oxc: true })],
  output: { dir: 'dist', cleanDir: true, comments: false },
});
