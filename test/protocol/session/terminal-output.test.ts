import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { WriteStream } from 'node:tty';
import { describe, expect, it } from 'vitest';
import { TerminalOutput } from '../../../src/protocol/session/terminal-output.ts';
import { uncaughtErrorsOf } from '../../helpers/uncaught.ts';

const TERMINAL = { columns: 80, rows: 24, colorDepth: 8 };

function outputOf(terminal: typeof TERMINAL | undefined): TerminalOutput {
  return new TerminalOutput(terminal, { write: (_chunk, _encoding, done) => done() });
}

describe('TerminalOutput', () => {
  it('has what the terminal has', () => {
    const output = outputOf(TERMINAL);
    expect(output).toMatchObject({ isTTY: true, columns: 80, rows: 24 });
    expect([output.getWindowSize(), output.getColorDepth()]).toEqual([[80, 24], 8]);
  });

  it('has no size and one bit for a colour without a terminal', () => {
    const output = outputOf(undefined);
    expect([output.isTTY, output.columns, output.rows]).toEqual([undefined, undefined, undefined]);
    expect([output.getWindowSize(), output.getColorDepth(), output.hasColors()]).toEqual([[0, 0], 1, false]);
  });

  it.each([
    [1, { FORCE_COLOR: '0', NO_COLOR: '1' }],
    [4, { FORCE_COLOR: '1' }],
    [8, { FORCE_COLOR: '2' }],
    [24, { FORCE_COLOR: '3' }],
  ])('has the colours that Node finds with %i bits', (colorDepth, env) => {
    const output = outputOf({ ...TERMINAL, colorDepth });
    const node = WriteStream.prototype;
    expect(node.getColorDepth(env)).toBe(colorDepth);
    expect(output.hasColors()).toBe(node.hasColors(env));
    for (const count of [2, 3, 16, 17, 256, 257, 2 ** 24, 2 ** 24 + 1])
      expect([count, output.hasColors(count)]).toEqual([count, node.hasColors(count, env)]);
    // As a library calls Node's own that has an environment. That of the client has decided.
    expect(output.hasColors({ FORCE_COLOR: '3' })).toBe(node.hasColors(env));
  });

  it("emits 'resize' after its size has changed, once for many changes", async () => {
    const output = outputOf(TERMINAL);
    const sizes: unknown[] = [];
    output.on('resize', () => sizes.push(output.getWindowSize()));
    for (let columns = 100; columns < 10_000; columns += 1) output.setTerminal({ ...TERMINAL, columns });
    await once(output, 'resize');
    output.setTerminal({ ...TERMINAL, rows: 1 });
    await once(output, 'resize');
    expect(sizes).toEqual([
      [9999, 24],
      [80, 1],
    ]);
  });

  it("emits no 'resize' if only the colours have changed", async () => {
    const output = outputOf(TERMINAL);
    let resizes = 0;
    output.on('resize', () => (resizes += 1));
    output.setTerminal({ ...TERMINAL, colorDepth: 24 });
    await turn();
    expect([resizes, output.getColorDepth()]).toEqual([0, 24]);
  });

  it('does not become a terminal, and does not change after it was destroyed', () => {
    const none = outputOf(undefined);
    none.setTerminal(TERMINAL);
    expect([none.isTTY, none.columns, none.getColorDepth()]).toEqual([undefined, undefined, 1]);
    const destroyed = outputOf(TERMINAL).destroy();
    destroyed.setTerminal({ ...TERMINAL, columns: 1 });
    expect(destroyed.columns).toBe(80);
  });

  it("throws what a listener of 'resize' throws as an uncaught exception, as every stream does", async () => {
    const output = outputOf(TERMINAL).on('resize', () => {
      throw new Error('from the listener');
    });
    const errors = await uncaughtErrorsOf(() => output.setTerminal({ ...TERMINAL, rows: 1 }));
    expect(errors).toMatchObject([{ message: 'from the listener' }]);
  });
});
