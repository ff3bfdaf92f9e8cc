/** What main.js uses of Electron, so that it compiles without Electron. */
declare module 'electron' {
  export const app: NodeJS.EventEmitter & { getName(): string; whenReady(): Promise<void> };

  export class BrowserWindow {
    isMinimized(): boolean;
    restore(): void;
    focus(): void;
    loadFile(path: string): Promise<void>;
  }
}
