export type * from './codec-list.ts';
export type * from './options.ts';
export type * from './resolved-options.ts';
export type * from './singleton-options.ts';
