// What main.js uses of Electron, for plain Node: it prints what the window would do.
import { EventEmitter } from 'node:events';

export const app = Object.assign(new EventEmitter(), {
  getName: () => process.env.VIEWER_NAME ?? 'viewer',
  whenReady: async () => {},
});
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => app.emit('will-quit'));

export class BrowserWindow {
  isMinimized = () => false;
  restore() {}
  focus = () => console.log('the window has the focus');
  loadFile = async (/** @type {string} */ path) => console.log(`the window shows ${path}`);
}
