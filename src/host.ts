// What index.js loads when the place was got, or to warn without one.
export { receive } from './codecs/legacy-receiving.ts';
export { open, warn } from './core/host.ts';
export { validating } from './core/schema-receiving.ts';
