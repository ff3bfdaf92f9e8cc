import { expect, it, vi } from 'vitest';
import { hear, launch, speak, startHost } from '../helpers/host.ts';
import { uncaughtDuring } from '../helpers/uncaught.ts';

const boom = new Error('boom');

function raise(): never {
  throw boom;
}

it('an args listener that throws is an uncaught exception, the others are called and the launch ends well', async () => {
  const app = await startHost();
  app.on('args', raise);
  const heard = hear(app);
  const observer = vi.fn<(args: readonly string[]) => void>();
  app.trace(observer);
  const errors = await uncaughtDuring(async () => {
    expect(await launch(app, ['a'])).toEqual({ outcome: 'unconfirmed' });
  });
  expect(errors).toEqual([boom]);
  expect(heard.args).toEqual([['a']]);
  expect(observer).toHaveBeenCalledExactlyOnceWith(['a']);
});

it('a client listener that throws is an uncaught exception, and the arguments are published', async () => {
  const app = await startHost();
  app.on('client', raise);
  const heard = hear(app);
  const errors = await uncaughtDuring(() => launch(app, ['a']));
  expect(errors).toEqual([boom]);
  expect(heard.order).toEqual(['client', 'args']);
});

it('a client listener that throws does not keep the threshold from releasing', async () => {
  const app = await startHost({ releaseThreshold: 1 });
  app.on('client', raise);
  const errors = await uncaughtDuring(async () => {
    await launch(app, ['a']);
    await app.release();
  });
  expect(errors).toEqual([boom]);
  expect(app.listening).toBe(false);
});

it('a warning listener that throws is an uncaught exception, and the host serves on', async () => {
  const app = await startHost();
  app.on('warning', raise);
  const heard = hear(app);
  const errors = await uncaughtDuring(() => speak(app, 'cut off'));
  expect(errors).toEqual([boom]);
  await launch(app, ['a']);
  expect(heard.order).toEqual(['warning', 'client', 'args']);
});

it('a verifyFailed listener that throws is an uncaught exception, and the host serves on', async () => {
  const app = await startHost({ secret: 'sesame' });
  app.on('verifyFailed', raise);
  const heard = hear(app);
  const errors = await uncaughtDuring(() => speak(app, 'guess\0'));
  expect(errors).toEqual([boom]);
  await launch(app, ['a'], { secret: 'sesame' });
  expect(heard.order).toEqual(['verifyFailed', 'client', 'args']);
});

it('a release listener that throws is an uncaught exception, and release resolves', async () => {
  const app = await startHost();
  app.on('release', raise);
  const heard = hear(app);
  const errors = await uncaughtDuring(() => app.release());
  expect(errors).toEqual([boom]);
  expect(heard.order).toEqual(['release manual']);
});

it('a timeout listener that throws is an uncaught exception, and the endpoint is released', async () => {
  const app = await startHost({ timeout: 5 });
  app.on('timeout', raise);
  const released = new Promise((resolve) => app.on('release', resolve));
  const errors = await uncaughtDuring(() => released);
  expect(errors).toEqual([boom]);
  expect(await released).toBe('timeout');
});

it('an observer that throws is a warning with its error as the cause, and no exception', async () => {
  const app = await startHost();
  app.trace(raise);
  const after = vi.fn<(args: readonly string[]) => void>();
  app.trace(after);
  const warnings: unknown[] = [];
  app.on('warning', (warning) => warnings.push(warning));
  const errors = await uncaughtDuring(() => launch(app, ['a']));
  expect(errors).toEqual([]);
  expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_OBSERVER_FAILED', cause: boom }]);
  expect(after).toHaveBeenCalledExactlyOnceWith(['a']);
});

it('an observer that rejects is a warning with its reason as the cause', async () => {
  const app = await startHost();
  app.trace(() => Promise.reject(boom));
  const warnings: unknown[] = [];
  app.on('warning', (warning) => warnings.push(warning));
  await launch(app, ['a']);
  expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_OBSERVER_FAILED', cause: boom }]);
});
