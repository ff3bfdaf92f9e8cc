// What index.js loads when the place was got.
export { receive } from './codecs/legacy-receiving.ts';
export { open, tell } from './core/host.ts';
export { validating } from './core/schema-receiving.ts';
