import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { twoTurns } from '../../../src/interface/timers.ts';
import { MAX_RAW_BYTES } from '../../../src/protocol/messages.ts';
import { StdinSender } from '../../../src/protocol/session/stdin-sender.ts';

/** A sender of a stream, and the frames that it has sent. While the connection is busy, it accepts no more. */
function sending(isBusy = false) {
  const stdin = new PassThrough();
  const sent: string[] = [];
  const errors: string[] = [];
  let drain = ignore;
  const sender = new StdinSender(
    () => stdin,
    (bytes, done) => {
      sent.push(Buffer.from(bytes).toString());
      if (isBusy) drain = done;
      else done();
    },
    (error) => errors.push(error.message),
  );
  return { stdin, sender, sent, errors, drain: () => drain() };
}

function ignore(): void {}

describe('StdinSender', () => {
  it('sends what it reads in one turn as one frame, in order', async () => {
    const { stdin, sender, sent } = sending();
    sender.grant(1000);
    for (const line of ['a', 'b', 'c']) stdin.write(line);
    await twoTurns();
    for (const line of ['d', 'e']) stdin.write(line);
    await twoTurns();
    expect(sent).toEqual(['abc', 'de']);
  });

  it('sends the end after what it has read in the same turn', async () => {
    const { stdin, sender, sent, errors } = sending();
    sender.grant(1000);
    stdin.write('a');
    stdin.end('b');
    await twoTurns();
    expect([sent, errors]).toEqual([['ab', ''], []]);
  });

  it('sends no more than was granted, and pauses the stream until more is', async () => {
    const { stdin, sender, sent } = sending();
    sender.grant(5);
    for (const line of ['abc', 'def', 'ghi']) stdin.write(line);
    expect([sent, stdin.isPaused()]).toEqual([['abcde'], true]);
    await twoTurns();
    sender.grant(1000);
    await twoTurns();
    expect(sent.join()).toBe('abcde,f,ghi');
    expect(stdin.isPaused()).toBe(false);
  });

  it('sends frames of the longest body at most, and the first of a turn before its end', () => {
    const { stdin, sender, sent } = sending();
    sender.grant(3 * MAX_RAW_BYTES);
    for (let written = 0; written < MAX_RAW_BYTES; written += 4) stdin.write('abcd');
    expect(sent.map(({ length }) => length)).toEqual([MAX_RAW_BYTES]);
    stdin.write('x'.repeat(2 * MAX_RAW_BYTES));
    expect(sent.map(({ length }) => length)).toEqual([MAX_RAW_BYTES, MAX_RAW_BYTES, MAX_RAW_BYTES]);
  });

  it('pauses the stream while the connection is busy', async () => {
    const { stdin, sender, sent, drain } = sending(true);
    sender.grant(1000);
    stdin.write('a');
    await twoTurns();
    for (const line of ['b', 'c']) stdin.write(line);
    await twoTurns();
    expect([sent, stdin.isPaused()]).toEqual([['a'], true]);
    drain();
    await twoTurns();
    expect(sent).toEqual(['a', 'bc']);
  });

  it('fails if another reader resumes the stream while the connection is busy', async () => {
    const { stdin, sender, sent, errors } = sending(true);
    sender.grant(1000);
    stdin.write('a');
    await twoTurns();
    stdin.resume();
    await twoTurns();
    stdin.write('b');
    expect([stdin.isPaused(), errors]).toEqual([true, []]);
    await twoTurns();
    stdin.resume();
    stdin.write('c');
    await twoTurns();
    expect([sent, errors]).toEqual([['a'], [expect.stringContaining('only reader of stdin')]]);
  });

  it('puts back what it has read and not sent', async () => {
    const { stdin, sender, sent } = sending();
    sender.grant(1000);
    for (const line of ['a', 'b']) stdin.write(line);
    sender.end();
    await twoTurns();
    stdin.write('c');
    expect([sent, String(stdin.read())]).toEqual([[], 'abc']);
  });
});
