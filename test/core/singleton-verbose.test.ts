import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { z } from 'zod';
import { json } from '../../src/codecs/json.ts';
import { Singleton } from '../../src/index.ts';
import { launch, speak, startHost } from '../helpers/host.ts';

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

it('a verbose host prints a warning as one line with its code, and tells it', async () => {
  const app = await startHost({ verbose: true });
  const warnings: string[] = [];
  app.on('warning', ({ code, message }) => warnings.push(`socket-singleton: ${code}: ${message}\n`));
  await speak(app, 'cut off');
  expect(printed).toEqual([expect.stringMatching(/^socket-singleton: ERR_SINGLETON_TRUNCATED_MESSAGE: [^\n]+\n$/)]);
  expect(printed).toEqual(warnings);
});

it('a verbose host prints a failed verification with its reason and address, and nothing of what came', async () => {
  const app = await startHost({ verbose: true, secret: 'sesame' });
  await speak(app, 'guess\0private\0');
  expect(printed).toEqual([expect.stringMatching(/^socket-singleton: [^\n]*wrong-secret[^\n]*127\.0\.0\.1[^\n]*\n$/)]);
  expect(printed.join('')).not.toMatch(/guess|private|sesame/);
});

it('a verbose host prints that arguments were invalid, and nothing of them', async () => {
  const schema = z.unknown().superRefine((value, context) => context.addIssue(`got ${JSON.stringify(value)}`));
  const app = await Singleton.acquire({ port: 0, verbose: true, codec: json(), schema, args: 0 });
  onTestFinished(() => app.release());
  const sent = Singleton.send({ port: Number(new URL(app.endpoint).port), codec: json(), args: 'private' });
  await expect(sent).rejects.toMatchObject({ code: 'ERR_SINGLETON_INVALID_ARGS' });
  expect(printed).toEqual([expect.stringMatching(/^socket-singleton: ERR_SINGLETON_INVALID_ARGS: [^\n]+\n$/)]);
  expect(printed.join('')).not.toContain('private');
});

it('a verbose host prints that an observer failed', async () => {
  const app = await startHost({ verbose: true });
  app.trace(() => {
    throw new Error('boom');
  });
  await launch(app, ['a']);
  expect(printed).toEqual([expect.stringMatching(/^socket-singleton: ERR_SINGLETON_OBSERVER_FAILED: /)]);
});

it('a verbose host prints nothing of a launch that goes well', async () => {
  const app = await startHost({ verbose: true });
  app.on('args', () => {});
  await launch(app, ['a']);
  await app.release();
  expect(printed).toEqual([]);
});

it('a host that is not verbose prints nothing', async () => {
  const app = await startHost({ secret: 'sesame' });
  app.trace(() => {
    throw new Error('boom');
  });
  await speak(app, 'guess\0');
  await speak(app, 'cut off');
  await launch(app, ['a'], { secret: 'sesame' });
  expect(app.clients).toBe(1);
  expect(printed).toEqual([]);
});
