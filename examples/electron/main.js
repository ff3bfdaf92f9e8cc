// A viewer with one window: a later launch opens its files there. The same file runs under Electron and under plain Node:
//   electron main.js page.html
//   node main.js page.html
import { resolve } from 'node:path';
import { Singleton } from 'socket-singleton';
import { json } from 'socket-singleton/codecs/json';
import { pipe } from 'socket-singleton/transports/pipe';

/** @type {typeof import('electron')} */
const { app, BrowserWindow } = await (process.versions.electron ? import('electron') : import('./plain-node.js'));
/** @type {import('socket-singleton').Codec<readonly string[]>} */
const codec = json();

// In place of app.requestSingleInstanceLock(): a later launch delivers its arguments and exits here.
const singleton = await Singleton.acquire({ transport: pipe({ name: app.getName() }), codec, self: true });
app.once('will-quit', () => singleton.release());
// Electron becomes ready after this module has ended. To await it here would never end.
void app.whenReady().then(openWindow);

function openWindow() {
  const window = new BrowserWindow();
  singleton.on('client', () => {
    if (window.isMinimized()) window.restore();
    window.focus();
  });
  // With `self: true`, the files of the first launch arrive here too.
  singleton.on('args', async (files, { cwd = '' }) => {
    for (const file of files) await window.loadFile(resolve(cwd, file));
  });
}
