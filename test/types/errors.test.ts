import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { programOf } from '../helpers/type-program.ts';

/** The text at which the compiler reports an error, for each line. */
function errorsOf(lines: readonly string[]): readonly string[] {
  return reportsOf(lines).map(({ at }) => at);
}

function messagesOf(lines: readonly string[]): readonly string[] {
  return reportsOf(lines).map(({ message }) => message);
}

interface Report {
  /** The text where it is. */
  readonly at: string;
  readonly message: string;
}

function reportsOf(lines: readonly string[]): readonly Report[] {
  const path = fileURLToPath(new URL('wrong.ts', import.meta.url));
  const imports = [
    `import { Singleton } from '../../src/index.ts';`,
    `import { json } from '../../src/codecs/json.ts';`,
    `import { z } from 'zod';`,
  ];
  const source = [...imports, ...lines].join('\n');
  const program = programOf(new Map([[path, source]]));
  const file = program.getSourceFile(path);
  return ts.getPreEmitDiagnostics(program, file).map(({ start = 0, length = 0, messageText }) => ({
    at: source.slice(start, start + length),
    message: ts.flattenDiagnosticMessageText(messageText, '\n'),
  }));
}

const NAMES = ['arg', 'args', 'client', 'release', 'timeout', 'verifyFailed', 'warning'];

describe('the compiler', () => {
  it('reports a wrong args at args', () => {
    expect(
      errorsOf([
        `void Singleton.acquire({ port: 1, args: 5 });`,
        `void Singleton.acquire({ codec: json<{ file: string }>(), args: 'x' });`,
        `void Singleton.send({ codec: json<string>(), args: 5 });`,
        `void Singleton.send({ codec: json<string[]>(), args: [5] });`,
        `void Singleton.acquire({ codec: [json<{ file: string }>(), json<number>()], args: 'x' });`,
      ]),
    ).toEqual(['args', 'args', 'args', expect.any(String), 'args']);
  });

  it('reports a wrong args at args, also beside client: false, where it is optional', () => {
    expect(
      errorsOf([
        `void Singleton.acquire({ codec: json<{ file: string }>(), client: false, args: 'x' });`,
        `void Singleton.acquire({ codec: json(), schema: z.string(), client: false, args: 5 });`,
        `void Singleton.acquire({ codec: [json<{ file: string }>(), json<number>()], client: false, args: 'x' });`,
        `new Singleton({ codec: json<string>(), client: false, args: 5 });`,
      ]),
    ).toEqual(['args', 'args', 'args', 'args']);
  });

  it('says that a missing args is missing, and nothing of client: false', () => {
    const messages = messagesOf([
      `void Singleton.acquire({ codec: json<string>() });`,
      `void Singleton.acquire({ codec: json(), schema: z.string() });`,
      `new Singleton({ codec: json<string>(), client: true });`,
    ]);
    expect(messages).toHaveLength(3);
    for (const message of messages) {
      expect(message).toContain("Property 'args' is missing");
      expect(message).not.toContain("Property 'client'");
    }
  });

  it('accepts the arguments of a schema, and refuses others', () => {
    expect(
      errorsOf([
        `void Singleton.acquire({ codec: json(), schema: z.string(), args: 'x' });`,
        `void Singleton.send({ codec: json(), schema: z.string(), args: 5 });`,
      ]),
    ).toHaveLength(1);
  });

  it('lists the events for a name that is none', () => {
    const path = fileURLToPath(new URL('wrong.ts', import.meta.url));
    const source = `import { Singleton } from '../../src/index.ts';\nnew Singleton().on('arg', () => {});`;
    const program = programOf(new Map([[path, source]]));
    const messages = ts
      .getPreEmitDiagnostics(program, program.getSourceFile(path))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
    // The compiler lists them in any order.
    const names = messages.join('').match(/"\w+"(?= \||')/g);
    expect(new Set(names)).toEqual(new Set(NAMES.map((name) => `"${name}"`)));
  });
});
