export { printHelp, printVersion } from './help.ts';
export { manualPage } from './man.ts';
