import fc from 'fast-check';

/** One seed for all properties of a run. A failure prints it; `FC_SEED=… npm run test:property` replays it. */
const seed = Number(process.env['FC_SEED'] ?? Math.trunc(Math.random() * 2 ** 31));

fc.configureGlobal({ seed });
