import { expect, it, vi } from 'vitest';
import { recordEvents, launch, sendBytes, startHost } from '../helpers/host.ts';
import { uncaughtErrorsOf } from '../helpers/uncaught.ts';

const boom = new Error('boom');

function raise(): never {
  throw boom;
}

it('calls the other listeners and completes the launch when an args listener throws an uncaught exception', async () => {
  const app = await startHost();
  app.on('args', raise);
  const heard = recordEvents(app);
  const observer = vi.fn<(args: readonly string[]) => void>();
  app.trace(observer);
  const errors = await uncaughtErrorsOf(async () => {
    expect(await launch(app, ['a'])).toEqual({ outcome: 'unconfirmed' });
  });
  expect(errors).toEqual([boom]);
  expect(heard.args).toEqual([['a']]);
  expect(observer).toHaveBeenCalledExactlyOnceWith(['a']);
});

it('dispatches the arguments when a client listener throws an uncaught exception', async () => {
  const app = await startHost();
  app.on('client', raise);
  const heard = recordEvents(app);
  const errors = await uncaughtErrorsOf(() => launch(app, ['a']));
  expect(errors).toEqual([boom]);
  expect(heard.order).toEqual(['client', 'args']);
});

it('releases at the threshold although a client listener throws', async () => {
  const app = await startHost({ releaseThreshold: 1 });
  app.on('client', raise);
  const errors = await uncaughtErrorsOf(async () => {
    await launch(app, ['a']);
    await app.release();
  });
  expect(errors).toEqual([boom]);
  expect(app.listening).toBe(false);
});

it('keeps serving when a warning listener throws an uncaught exception', async () => {
  const app = await startHost();
  app.on('warning', raise);
  const heard = recordEvents(app);
  const errors = await uncaughtErrorsOf(() => sendBytes(app, 'cut off'));
  expect(errors).toEqual([boom]);
  await launch(app, ['a']);
  expect(heard.order).toEqual(['warning', 'client', 'args']);
});

it('keeps serving when a verifyFailed listener throws an uncaught exception', async () => {
  const app = await startHost({ secret: 'sesame' });
  app.on('verifyFailed', raise);
  const heard = recordEvents(app);
  const errors = await uncaughtErrorsOf(() => sendBytes(app, 'guess\0'));
  expect(errors).toEqual([boom]);
  await launch(app, ['a'], { secret: 'sesame' });
  expect(heard.order).toEqual(['verifyFailed', 'client', 'args']);
});

it('resolves release() when a release listener throws an uncaught exception', async () => {
  const app = await startHost();
  app.on('release', raise);
  const heard = recordEvents(app);
  const errors = await uncaughtErrorsOf(() => app.release());
  expect(errors).toEqual([boom]);
  expect(heard.order).toEqual(['release manual']);
});

it('releases the endpoint when a timeout listener throws an uncaught exception', async () => {
  const app = await startHost({ timeout: 5 });
  app.on('timeout', raise);
  const released = new Promise((resolve) => app.on('release', resolve));
  const errors = await uncaughtErrorsOf(() => released);
  expect(errors).toEqual([boom]);
  expect(await released).toBe('timeout');
});

it('emits a warning with the error as the cause, and no exception, when an observer throws', async () => {
  const app = await startHost();
  app.trace(raise);
  const after = vi.fn<(args: readonly string[]) => void>();
  app.trace(after);
  const warnings: unknown[] = [];
  app.on('warning', (warning) => warnings.push(warning));
  const errors = await uncaughtErrorsOf(() => launch(app, ['a']));
  expect(errors).toEqual([]);
  expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_OBSERVER_FAILED', cause: boom }]);
  expect(after).toHaveBeenCalledExactlyOnceWith(['a']);
});

it('emits a warning with the reason as the cause when an observer rejects', async () => {
  const app = await startHost();
  app.trace(() => Promise.reject(boom));
  const warnings: unknown[] = [];
  app.on('warning', (warning) => warnings.push(warning));
  await launch(app, ['a']);
  expect(warnings).toMatchObject([{ code: 'ERR_SINGLETON_OBSERVER_FAILED', cause: boom }]);
});
