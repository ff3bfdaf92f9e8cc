import type { EventEmitter } from 'node:events';
import type { Writable } from 'node:stream';
import type { Terminal, Terminals } from '../interface/protocol.ts';
import type { ClientReport } from '../interface/session.ts';
import type { ResolvedOptions } from './options/resolved-options.ts';

type Options = Pick<ResolvedOptions<never>, 'stdio' | 'forwardSignals'>;

const DESCRIPTORS = { stdout: 1, stderr: 2 } as const;
const OUTPUTS = ['stdout', 'stderr'] as const;
type Output = (typeof OUTPUTS)[number];

/** Which outputs of a launch are terminals. */
export function terminalsOf({ stdio }: Pick<Options, 'stdio'>): Terminals {
  return { stdout: terminalOf(outputOf(stdio, 'stdout')), stderr: terminalOf(outputOf(stdio, 'stderr')) };
}

/** Reports the terminals, now and when one was resized, and signals. Returns a function that ends it. */
export function watch({ stdio, forwardSignals }: Options, report: ClientReport): () => void {
  const stops: (() => void)[] = [];
  for (const name of OUTPUTS) {
    const stream = outputOf(stdio, name);
    if (!stream || !terminalOf(stream)) continue;
    const onResize = (): void => report.terminals({ [name]: terminalOf(stream) });
    stops.push(listen(stream, 'resize', onResize));
    onResize();
  }
  const onSignal = (signal: string): void => report.signal(signal);
  for (const signal of forwardSignals) {
    stops.push(listen(process, signal, onSignal));
  }
  return () => {
    for (const stop of stops) stop();
  };
}

/** Each of many launches adds its listener: that is no leak, of which Node would warn. Returns a function that removes it. */
function listen(emitter: EventEmitter, event: string, listener: (name: string) => void): () => void {
  addToLimit(emitter, 1);
  emitter.on(event, listener);
  return () => {
    emitter.off(event, listener);
    addToLimit(emitter, -1);
  };
}

function addToLimit(emitter: EventEmitter, count: number): void {
  const limit = emitter.getMaxListeners();
  // 0 is no limit.
  if (limit > 0) emitter.setMaxListeners(limit + count);
}

/** `undefined` if it is the process's own and not a terminal. To create that one only to find out costs a launch time. */
function outputOf(stdio: Options['stdio'], name: Output): Writable | undefined {
  const isTerminal = (): boolean => process.getBuiltinModule('node:tty').isatty(DESCRIPTORS[name]);
  return stdio[name] ?? (isTerminal() ? process[name] : undefined);
}

/** `undefined` if the stream is no terminal. It may be any object of the program, and throw. */
export function terminalOf(stream: Writable | undefined): Terminal | undefined {
  try {
    const terminal = Object(stream);
    if (terminal.isTTY !== true) return undefined;
    const { columns, rows } = terminal;
    return { columns: toU16(columns), rows: toU16(rows), colorDepth: toColorDepth(terminal.getColorDepth?.()) };
  } catch {
    return undefined;
  }
}

const MAX_U16 = 0xffff;

function toU16(value: unknown): number {
  return Math.min(Math.max(Math.trunc(Number(value)) || 0, 0), MAX_U16);
}

/** The depths that Node has. */
const COLOR_DEPTHS = [24, 8, 4];

function toColorDepth(value: unknown): number {
  return COLOR_DEPTHS.find((depth) => Number(value) >= depth) ?? 1;
}
