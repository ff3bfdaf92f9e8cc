import { describe, expect, it, vi } from 'vitest';
import type { Singleton } from '../../src/index.ts';
import { launch, recordEvents, sendBytes, startHost } from '../helpers/host.ts';
import { processWarningsOf } from '../helpers/process-warnings.ts';

const boom = new Error('boom');
const failed = { code: 'ERR_SINGLETON_LISTENER_FAILED', cause: boom };

function raise(): never {
  throw boom;
}

function warningsOf(app: Singleton): unknown[] {
  const warnings: unknown[] = [];
  app.on('warning', (warning) => warnings.push(warning));
  return warnings;
}

describe('a listener that throws', () => {
  it('causes a warning for "args", and the other listeners are called', async () => {
    const app = await startHost();
    const warnings = warningsOf(app);
    app.on('args', raise);
    const heard = recordEvents(app);
    const observer = vi.fn<(args: readonly string[]) => void>();
    app.trace(observer);
    expect(await launch(app, ['a'])).toEqual({ outcome: 'unconfirmed' });
    expect(warnings).toMatchObject([failed]);
    expect(heard.args).toEqual([['a']]);
    expect(observer).toHaveBeenCalledExactlyOnceWith(['a']);
  });

  it('causes a warning for "client", and the arguments are dispatched', async () => {
    const app = await startHost();
    app.on('client', raise);
    const heard = recordEvents(app);
    await launch(app, ['a']);
    expect(heard.order).toEqual(['warning', 'client', 'args']);
  });

  it('does not prevent the release at the threshold for "client"', async () => {
    const app = await startHost({ releaseThreshold: 1 });
    const warnings = warningsOf(app);
    app.on('client', raise);
    await launch(app, ['a']);
    await app.release();
    expect(warnings).toMatchObject([failed]);
    expect(app.listening).toBe(false);
  });

  it('causes a warning for "verifyFailed"', async () => {
    const app = await startHost({ secret: 'sesame' });
    app.on('verifyFailed', raise);
    const heard = recordEvents(app);
    await sendBytes(app, 'guess\0');
    await launch(app, ['a'], { secret: 'sesame' });
    expect(heard.order).toEqual(['warning', 'verifyFailed', 'client', 'args']);
  });

  it('causes a warning for "release", and release() resolves', async () => {
    const app = await startHost();
    app.on('release', raise);
    const heard = recordEvents(app);
    await app.release();
    expect(heard.order).toEqual(['warning', 'release manual']);
  });

  it('causes a warning for "timeout", and the endpoint is released', async () => {
    const app = await startHost({ timeout: 5 });
    const warnings = warningsOf(app);
    app.on('timeout', raise);
    expect(await new Promise((resolve) => app.on('release', resolve))).toBe('timeout');
    expect(warnings).toMatchObject([failed]);
  });

  it('causes a warning of the process for "warning", and the host continues to serve', async () => {
    const app = await startHost();
    app.on('warning', raise);
    const heard = recordEvents(app);
    const printed = await processWarningsOf(() => sendBytes(app, 'cut off'));
    expect(printed).toMatchObject([{ code: 'ERR_SINGLETON_LISTENER_FAILED', detail: expect.stringContaining('boom') }]);
    await launch(app, ['a']);
    expect(heard.order).toEqual(['warning', 'client', 'args']);
  });

  it('causes a warning of the process with its stack if there is no listener for "warning"', async () => {
    const app = await startHost();
    app.on('args', raise);
    const printed = await processWarningsOf(() => launch(app, ['a']));
    expect(printed).toMatchObject([
      {
        name: 'SingletonError',
        code: 'ERR_SINGLETON_LISTENER_FAILED',
        message: expect.stringContaining('"args" threw or rejected for launch 1'),
        detail: expect.stringContaining('singleton-throwing.test.ts'),
      },
    ]);
  });
});

describe('a listener that rejects', () => {
  it.each(['args', 'client'] as const)('causes a warning for "%s"', async (event) => {
    const app = await startHost();
    const warnings = warningsOf(app);
    app.on(event, () => Promise.reject(boom));
    await launch(app, ['a']);
    expect(warnings).toMatchObject([failed]);
  });

  it('causes a warning of the process also with a value that cannot be shown', async () => {
    const app = await startHost();
    app.on('args', () => Promise.reject({ [Symbol.for('nodejs.util.inspect.custom')]: raise }));
    const printed = await processWarningsOf(() => launch(app, ['a']));
    expect(printed).toMatchObject([{ detail: 'a value that cannot be shown' }]);
  });
});

describe('an observer', () => {
  it('causes a warning if it throws, and the next one is called', async () => {
    const app = await startHost();
    const warnings = warningsOf(app);
    app.trace(raise);
    const after = vi.fn<(args: readonly string[]) => void>();
    app.trace(after);
    await launch(app, ['a']);
    expect(warnings).toMatchObject([failed]);
    expect(after).toHaveBeenCalledExactlyOnceWith(['a']);
  });

  it('causes a warning if it rejects', async () => {
    const app = await startHost();
    const warnings = warningsOf(app);
    app.trace(() => Promise.reject(boom));
    await launch(app, ['a']);
    expect(warnings).toMatchObject([failed]);
  });
});
