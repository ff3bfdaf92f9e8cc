import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { readUpTo } from '../../src/protocol/read.ts';
import { ScriptedConnection } from '../helpers/scripted-transport.ts';

function stream(): ScriptedConnection {
  return new ScriptedConnection(() => {});
}

describe('readUpTo', () => {
  test('returns that number of bytes and leaves those that follow', async () => {
    const connection = stream();
    connection.push('abcdef');
    expect(Buffer.from(await readUpTo(connection, 4)).toString()).toBe('abcd');
    expect(Buffer.from(await readUpTo(connection, 2)).toString()).toBe('ef');
  });

  test('waits for bytes that arrive one by one without blocking the event loop', async () => {
    const connection = stream();
    const taken = readUpTo(connection, 3);
    for (const byte of 'abc') {
      connection.push(byte);
      await turn();
    }
    expect(Buffer.from(await taken).toString()).toBe('abc');
  });

  test('leaves no listener, and the stream flows on', async () => {
    const connection = stream();
    connection.push('ab');
    await readUpTo(connection, 1);
    expect(connection.listenerCount('readable') + connection.listenerCount('end')).toBe(0);
    const data = new Promise((resolve) => connection.once('data', resolve));
    expect(String(await data)).toBe('b');
  });

  test('returns the bytes that have arrived when the stream ends early', async () => {
    const connection = stream();
    connection.push('ab');
    connection.push(null);
    expect(Buffer.from(await readUpTo(connection, 3)).toString()).toBe('ab');
    expect(await readUpTo(connection, 3)).toHaveLength(0);
  });

  test('returns nothing when the stream is destroyed', async () => {
    const connection = stream();
    const taken = readUpTo(connection, 3);
    connection.push('ab');
    connection.destroy();
    expect(await taken).toHaveLength(0);
  });
});
