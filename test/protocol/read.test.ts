import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { StreamReader } from '../../src/protocol/read.ts';
import { ScriptedConnection } from '../helpers/scripted-transport.ts';

function stream(): ScriptedConnection {
  return new ScriptedConnection(() => {});
}

function listenersOf(connection: ScriptedConnection): number {
  return ['readable', 'end', 'close'].reduce((sum, event) => sum + connection.listenerCount(event), 0);
}

describe('StreamReader', () => {
  test('readUpTo() returns that number of bytes and leaves those that follow', async () => {
    const connection = stream();
    const reader = new StreamReader(connection);
    connection.push('abcdef');
    expect(Buffer.from(await reader.readUpTo(4)).toString()).toBe('abcd');
    expect(Buffer.from(await reader.readUpTo(2)).toString()).toBe('ef');
  });

  test('readUpTo() waits for bytes that arrive one by one without blocking the event loop', async () => {
    const connection = stream();
    const taken = new StreamReader(connection).readUpTo(3);
    for (const byte of 'abc') {
      connection.push(byte);
      await turn();
    }
    expect(Buffer.from(await taken).toString()).toBe('abc');
  });

  test('readUpTo() returns the bytes that have arrived when the stream ends early', async () => {
    const connection = stream();
    const reader = new StreamReader(connection);
    connection.push('ab');
    connection.push(null);
    expect(Buffer.from(await reader.readUpTo(3)).toString()).toBe('ab');
    expect(await reader.readUpTo(3)).toHaveLength(0);
  });

  test('readUpTo() returns nothing when the stream is destroyed', async () => {
    const connection = stream();
    const taken = new StreamReader(connection).readUpTo(3);
    connection.push('ab');
    connection.destroy();
    expect(await taken).toHaveLength(0);
  });

  test('keeps what arrives while nothing is read, and finds the end then', async () => {
    const connection = stream();
    const reader = new StreamReader(connection);
    const first = reader.readUpTo(1);
    connection.push('a');
    await first;
    connection.push('b');
    connection.push(null);
    await turn();
    expect(Buffer.from(await reader.readUpTo(1)).toString()).toBe('b');
    expect(await reader.readUpTo(1)).toHaveLength(0);
  });

  test('adds its listeners once, if it has to wait, and removes them', async () => {
    const connection = stream();
    const before = listenersOf(connection);
    const reader = new StreamReader(connection);
    connection.push('a');
    await reader.readUpTo(1);
    expect(listenersOf(connection)).toBe(before);
    for (const byte of 'bc') {
      const taken = reader.readUpTo(1);
      connection.push(byte);
      await taken;
      expect(listenersOf(connection)).toBe(before + 3);
    }
    reader.release();
    expect(listenersOf(connection)).toBe(before);
    const data = new Promise((resolve) => connection.once('data', resolve));
    connection.push('d');
    expect(String(await data)).toBe('d');
  });

  test('rejects with what is thrown for the bytes, at once or later, and reads on', async () => {
    const connection = stream();
    const reader = new StreamReader(connection);
    const fail = (): undefined => {
      if (reader.tryRead()) throw new RangeError('no');
    };
    connection.push('a');
    await expect(reader.readUntil(fail, fail)).rejects.toThrow(RangeError);
    const later = reader.readUntil(fail, fail);
    connection.push('b');
    await expect(later).rejects.toThrow(RangeError);
    const taken = reader.readUpTo(1);
    connection.push('c');
    expect(Buffer.from(await taken).toString()).toBe('c');
  });

  test('readUntil() goes on with a stream that pushes while it is read', async () => {
    const PIECE = 4096;
    const pieces = Array.from({ length: 24 }, () => Buffer.alloc(PIECE));
    const source = new Duplex({
      read() {
        const piece = pieces.shift();
        if (piece) this.push(piece);
      },
      write: (_chunk, _encoding, done) => done(),
    });
    const reader = new StreamReader(source);
    let bytes = 0;
    for (const total of [1, 5, 12, 24].map((count) => count * PIECE)) {
      const take = (): true | undefined => {
        if (bytes >= total) return true;
        bytes += reader.tryRead()?.length ?? 0;
        return bytes >= total ? true : undefined;
      };
      expect(await reader.readUntil(take, () => 'ended')).toBe(true);
      // The stream announces in the meantime what it has pushed.
      await turn();
    }
  });
});
