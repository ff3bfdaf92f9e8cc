import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { z } from 'zod';
import { json } from '../../src/codecs/json.ts';
import { Singleton } from '../../src/index.ts';
import { launch, sendBytes, startHost } from '../helpers/host.ts';

let printed: string[] = [];

beforeEach(() => {
  printed = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    printed.push(String(text));
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe('Singleton, with verbose,', () => {
  it('prints a warning as one line with its code, and emits it', async () => {
    const app = await startHost({ verbose: true });
    const warnings: string[] = [];
    app.on('warning', ({ code, message }) => warnings.push(`socket-singleton: ${code}: ${message}\n`));
    await sendBytes(app, 'cut off');
    expect(printed).toEqual([expect.stringMatching(/^socket-singleton: ERR_SINGLETON_TRUNCATED_MESSAGE: [^\n]+\n$/)]);
    expect(printed).toEqual(warnings);
  });

  it('prints a failed verification with its reason and address, and no byte of the message', async () => {
    const app = await startHost({ verbose: true, secret: 'sesame' });
    await sendBytes(app, 'guess\0private\0');
    expect(printed).toEqual([
      expect.stringMatching(/^socket-singleton: [^\n]*wrong-secret[^\n]*127\.0\.0\.1[^\n]*\n$/),
    ]);
    expect(printed.join('')).not.toMatch(/guess|private|sesame/);
  });

  it('prints that arguments were invalid, and no part of them', async () => {
    const schema = z.unknown().superRefine((value, context) => context.addIssue(`got ${JSON.stringify(value)}`));
    const app = await Singleton.acquire({ port: 0, verbose: true, codec: json(), schema, args: 0 });
    onTestFinished(() => app.release());
    const sent = Singleton.send({ port: Number(new URL(app.endpoint).port), codec: json(), args: 'private' });
    await expect(sent).rejects.toMatchObject({ code: 'ERR_SINGLETON_INVALID_ARGS' });
    expect(printed).toEqual([expect.stringMatching(/^socket-singleton: ERR_SINGLETON_INVALID_ARGS: [^\n]+\n$/)]);
    expect(printed.join('')).not.toContain('private');
  });

  it('prints that an observer failed', async () => {
    const app = await startHost({ verbose: true });
    app.trace(() => {
      throw new Error('boom');
    });
    await launch(app, ['a']);
    expect(printed).toEqual([expect.stringMatching(/^socket-singleton: ERR_SINGLETON_LISTENER_FAILED: /)]);
  });

  it('prints nothing for a launch that succeeds', async () => {
    const app = await startHost({ verbose: true });
    app.on('args', () => {});
    await launch(app, ['a']);
    await app.release();
    expect(printed).toEqual([]);
  });

  it.each([
    ['a symbol', Symbol('boom')],
    ['an error whose message is a symbol', Object.assign(new Error('boom'), { message: Symbol('boom') })],
    ['an error whose message throws', Object.defineProperty(new Error('boom'), 'message', { get: raise })],
    ['a value that throws when it is inspected', { [Symbol.for('nodejs.util.inspect.custom')]: raise }],
  ])('delivers a launch once although its observer throws %s', async (_, cause) => {
    const app = await startHost({ verbose: true });
    const observer = vi.fn<() => void>(() => {
      throw cause;
    });
    app.trace(observer);
    await launch(app, ['a']);
    expect(observer).toHaveBeenCalledOnce();
    expect(printed).toEqual([expect.stringMatching(/^socket-singleton: ERR_SINGLETON_LISTENER_FAILED: /)]);
  });

  it('prints nothing with verbose: false', async () => {
    const app = await startHost({ secret: 'sesame' });
    app.on('args', () => {});
    await sendBytes(app, 'guess\0');
    await sendBytes(app, 'cut off');
    await launch(app, ['a'], { secret: 'sesame' });
    expect(app.clients).toBe(1);
    expect(printed).toEqual([]);
  });
});

function raise(): never {
  throw new Error('boom');
}
