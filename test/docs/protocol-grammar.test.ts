import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Grammar } from '../helpers/abnf.ts';
import { readSnippets } from '../helpers/snippets.ts';
import { messageVectors } from '../helpers/vectors/messages.ts';
import { dialogueVectors, legacyVectors } from '../helpers/vectors/dialogues.ts';
import { connectionVectors } from '../helpers/vectors/connections.ts';
import { messages } from '../helpers/wire-examples.ts';

const blocks = readSnippets().filter(({ title }) => title.startsWith('docs/protocol.md'));
const ofLanguage = (language: string) => blocks.filter((block) => block.language === language).map(({ text }) => text);
const grammar = new Grammar(ofLanguage('abnf').join('\n'));

describe('the grammar of docs/protocol.md', () => {
  test('defines every rule that it uses', () => {
    expect(grammar.names.length).toBeGreaterThan(50);
    expect(grammar.missing).toEqual([]);
  });

  /** Only what the grammar has a rule for: a psk or a key is no message. */
  const rules = new Map([
    ...['legacy', 'legacy with a secret', 'legacy, empty'].map((name) => [name, 'legacy-message'] as const),
    ...['client hello', 'secured client hello'].map((name) => [name, 'client-hello'] as const),
    ...['host hello', 'secured host hello'].map((name) => [name, 'host-hello'] as const),
    ...['launch', 'launch with fields', 'launch that waits'].map((name) => [name, 'launch'] as const),
    ...['receipt', 'receipt with a version'].map((name) => [name, 'receipt'] as const),
    ...['stdin', 'end of stdin'].map((name) => [name, 'stdin'] as const),
    ...['stdout', 'stderr', 'reply', 'exit', 'refusal', 'status request', 'window update'].map(
      (name) => [name, name.replace(' ', '-')] as const,
    ),
    ['status', 'status-frame'],
    ['first handshake message', 'handshake-1'],
    ['second handshake message', 'handshake-2'],
    ['record of the launch', 'record'],
    ['record of the receipt', 'record'],
    ['end record', 'end-record'],
  ]);

  test.each(Array.from(rules))('matches the example "%s" by its rule', (name, rule) => {
    expect(grammar.matches(rule, messages.get(name) ?? Buffer.of())).toBe(true);
  });

  test('has a rule for every example but the values of the handshake', () => {
    const others = Array.from(messages.keys()).filter((name) => !rules.has(name));
    expect(
      others.filter((name) => !/^(psk|handshake hash|(h|ck|k|temp_h) after|key of|shared secret)/.test(name)),
    ).toEqual([]);
  });

  test('matches every message of the vectors that is not malformed', () => {
    const unmatched = messageVectors().filter(({ message, from, hex, decoded }) => {
      const rule = message.endsWith('hello') ? message.replace(' ', '-') : `${from}-frame`;
      return decoded !== null && !grammar.matches(rule, Buffer.from(hex, 'hex'));
    });
    expect(unmatched.map(({ name }) => name)).toEqual(BEYOND_THE_GRAMMAR);
  });

  test('matches every step of the sessions in the vectors', () => {
    for (const { name, steps } of dialogueVectors()) {
      for (const { from, hex, name: message } of steps) {
        const rule = message.endsWith('hello') ? message.replace(' ', '-') : `${from}-frame`;
        expect([name, message, grammar.matches(rule, Buffer.from(hex, 'hex'))]).toEqual([name, message, true]);
      }
    }
  });

  test('matches every legacy message of the vectors, and none that is cut off or not UTF-8', () => {
    const matched = (reaction: string) =>
      legacyVectors()
        .filter((vector) => vector.reaction === reaction)
        .map(({ hex }) => grammar.matches('legacy-message', Buffer.from(hex, 'hex')));
    expect(new Set(matched('accept'))).toEqual(new Set([true]));
    expect(grammar.matches('legacy-message', Buffer.from('open\0a.txt'))).toBe(false);
    expect(grammar.matches('legacy-message', Buffer.from('ff00', 'hex'))).toBe(false);
  });
});

/** A reader accepts them, and no correct sender sends them. */
const BEYOND_THE_GRAMMAR = ['an empty stdout, which no host sends'];

describe('the diagrams of docs/protocol.md', () => {
  test.each(ofLanguage('mermaid').map((text, index) => [index + 1, text] as const))(
    'reach every state of diagram %i from its start, and leave every state',
    (_, text) => {
      const [type, ...lines] = text.trimEnd().split('\n');
      expect(type).toBe('stateDiagram-v2');
      const arrows = lines.map((line) => /^ {4}(\[\*\]|\w+) --> (\[\*\]|\w+)(: [^:;]+)?$/.exec(line) ?? [line]);
      expect(arrows.filter(({ length }) => length === 1)).toEqual([]);
      const states = new Set(arrows.flatMap(([, from = '', to = '']) => [from, to]));
      const reached = new Set(['[*]']);
      for (let round = 0; round < states.size; round += 1)
        for (const [, from = '', to = ''] of arrows) if (reached.has(from)) reached.add(to);
      expect(reached).toEqual(states);
      expect(new Set(arrows.map(([, from = '']) => from))).toEqual(states);
    },
  );
});

const text = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');

describe('the table of decoded messages in docs/protocol.md', () => {
  const rows = /^### Decoded messages\n\n([^]*?)\n\n/m.exec(text)?.[1]?.split('\n').slice(2) ?? [];
  const members = new Map(
    rows
      .map((row) => row.split('|'))
      .flatMap(([, first, cell]) => namesIn(first).map((name) => [name, namesIn(cell)] as const)),
  );

  test('has the messages of the vectors', () => {
    expect(Array.from(members.keys()).toSorted()).toEqual(
      Array.from(new Set(messageVectors().map(({ message }) => message))).toSorted(),
    );
  });

  test.each(messageVectors().filter(({ decoded }) => decoded !== null))(
    'has the members of $name',
    ({ message, decoded }) => {
      expect(Object.keys(Object(decoded)).toSorted()).toEqual(members.get(message)?.toSorted());
    },
  );
});

/** What is between backquotes in a cell of a table. */
function namesIn(cell = ''): readonly string[] {
  return Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = '']) => name);
}

describe('the conformance tables of docs/protocol.md', () => {
  test('have the rows of the vectors, and two that are a race', () => {
    const rows = Array.from(text.matchAll(/^\| ([HLC]\d+) +\|/gm), ([, row]) => row);
    const vectors = new Set(connectionVectors().map(({ row }) => row));
    expect(rows.filter((row) => !vectors.has(row ?? ''))).toEqual(['H38', 'C60']);
    expect(Array.from(vectors).filter((row) => !rows.includes(row))).toEqual([]);
  });
});
