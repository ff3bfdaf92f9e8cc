import { Writable, type WritableOptions } from 'node:stream';
import type { Terminal } from '../../interface/protocol.ts';
import type { ClientOutput } from '../../interface/session.ts';

/** An output of a client on the host, which is a terminal there or is not. */
export class TerminalOutput extends Writable implements ClientOutput {
  isTTY: true | undefined;
  columns: number | undefined;
  rows: number | undefined;
  #colorDepth = 1;
  #isResizePending = false;

  constructor(terminal: Terminal | undefined, options?: WritableOptions) {
    super(options);
    this.isTTY = terminal && true;
    this.columns = terminal?.columns;
    this.rows = terminal?.rows;
    this.#colorDepth = terminal?.colorDepth ?? 1;
  }

  getWindowSize(): [columns: number, rows: number] {
    return [this.columns ?? 0, this.rows ?? 0];
  }

  getColorDepth(): number {
    return this.#colorDepth;
  }

  // Node's own takes an environment too, alone or as the second argument.
  hasColors(count?: unknown): boolean {
    return 2 ** this.#colorDepth >= (typeof count === 'number' ? count : 16);
  }

  /** The terminal has changed. An output that is not a terminal does not become one. */
  setTerminal({ columns, rows, colorDepth }: Terminal): void {
    if (!this.isTTY || this.destroyed) return;
    this.#colorDepth = colorDepth;
    if (columns === this.columns && rows === this.rows) return;
    this.columns = columns;
    this.rows = rows;
    if (this.#isResizePending) return;
    this.#isResizePending = true;
    // Later: what a listener throws is no mistake of the client. Once for a flood.
    process.nextTick(() => {
      this.#isResizePending = false;
      this.emit('resize');
    });
  }
}
