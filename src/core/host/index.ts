export { createHost as open, warn } from './host.ts';
export { validating } from '../schema-receiving.ts';
