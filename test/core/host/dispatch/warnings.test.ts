import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RateLimit } from '../../../../src/core/host/dispatch/warnings.ts';
import type { SingletonError, VerifyFailure } from '../../../../src/index.ts';
import { recordMessages } from '../../../helpers/diagnostics.ts';
import { launch, sendBytes, startHost } from '../../../helpers/host.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('RateLimit', () => {
  let passed = 0;
  let summaries: number[] = [];
  let limit: RateLimit;

  const pass = (times: number): void => {
    for (let count = 0; count < times; count += 1) limit.pass(() => (passed += 1));
  };

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    passed = 0;
    summaries = [];
    limit = new RateLimit((leftOut) => summaries.push(leftOut));
  });

  it('accepts 100, and sets no timer for them', () => {
    pass(100);
    vi.advanceTimersByTime(60_000);
    expect(passed).toBe(100);
    expect(summaries).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('reports once, 10 seconds after the first, how many were left out', () => {
    pass(100);
    vi.advanceTimersByTime(9000);
    pass(7);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(999);
    expect(summaries).toEqual([]);
    vi.advanceTimersByTime(1);
    expect({ passed, summaries }).toEqual({ passed: 100, summaries: [7] });
    vi.advanceTimersByTime(60_000);
    expect(summaries).toEqual([7]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('accepts 100 again after the 10 seconds', () => {
    pass(101);
    vi.advanceTimersByTime(9999);
    pass(1);
    expect(passed).toBe(100);
    vi.advanceTimersByTime(1);
    pass(101);
    expect({ passed, summaries }).toEqual({ passed: 200, summaries: [2] });
    vi.advanceTimersByTime(10_000);
    expect(summaries).toEqual([2, 1]);
  });

  it('accepts all that arrive slowly enough', () => {
    for (let count = 0; count < 1000; count += 1) {
      pass(1);
      vi.advanceTimersByTime(100);
    }
    expect({ passed, summaries }).toEqual({ passed: 1000, summaries: [] });
  });

  it('reports what was left out so far on end(), once, and leaves no timer', () => {
    pass(103);
    limit.end();
    limit.end();
    vi.advanceTimersByTime(60_000);
    expect(summaries).toEqual([3]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('reports nothing on end() if nothing was left out', () => {
    limit.end();
    pass(100);
    limit.end();
    expect(summaries).toEqual([]);
  });

  it('counts what arrives during its report in the next 10 seconds', () => {
    const nested: number[] = [];
    limit = new RateLimit((leftOut) => {
      nested.push(leftOut);
      limit.pass(() => (passed += 1));
    });
    pass(105);
    vi.advanceTimersByTime(10_000);
    expect({ passed, nested }).toEqual({ passed: 101, nested: [5] });
  });
});

describe('a host with many warnings', () => {
  let printed: string[] = [];

  beforeEach(() => {
    printed = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      printed.push(String(text));
      return true;
    });
    // All of them are in one window of the limit, however slow the machine is.
    vi.spyOn(performance, 'now').mockReturnValue(performance.now());
  });

  it('emits and prints 100 of 1,000 bad connections and a summary, and still serves a launch', async () => {
    const app = await startHost({ verbose: true });
    const warnings: SingletonError[] = [];
    app.on('warning', (warning) => warnings.push(warning));
    await many(1000, () => sendBytes(app, 'cut off'));
    await launch(app, ['a']);
    expect(app.arguments).toEqual([['a']]);
    expect(warnings).toHaveLength(100);
    await app.release();
    expect(warnings).toHaveLength(101);
    expect(new Set(warnings.slice(0, 100).map(({ code }) => code))).toEqual(
      new Set(['ERR_SINGLETON_TRUNCATED_MESSAGE']),
    );
    expect(warnings.at(-1)).toMatchObject({
      code: 'ERR_SINGLETON_BUSY',
      message: 'Too many at once: 900 more warnings were not emitted.',
    });
    expect(printed).toHaveLength(101);
    expect(printed.at(-1)).toContain('900 more warnings');
  });

  it('emits, publishes and prints 100 of 1,000 wrong secrets and one warning, and still serves a launch', async () => {
    const app = await startHost({ verbose: true, secret: 'sesame' });
    const failures: VerifyFailure[] = [];
    const warnings: SingletonError[] = [];
    const messages = recordMessages('verifyFailed');
    app.on('verifyFailed', (failure) => failures.push(failure));
    app.on('warning', (warning) => warnings.push(warning));
    await many(1000, () => sendBytes(app, 'guess\0'));
    await launch(app, ['a'], { secret: 'sesame' });
    expect(app.arguments).toEqual([['a']]);
    expect(failures.map(({ count }) => count)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect(failures.filter(({ suppressed }) => suppressed !== 0)).toEqual([]);
    expect(messages).toEqual(failures.map((failure) => ({ endpoint: app.endpoint, failure })));
    expect(printed).toHaveLength(100);
    expect(warnings).toEqual([]);
    await app.release();
    expect(warnings).toMatchObject([
      { code: 'ERR_SINGLETON_BUSY', message: 'Too many at once: 900 more refused clients were not reported.' },
    ]);
    expect(printed).toHaveLength(101);
  });

  it('prints nothing if not verbose', async () => {
    const app = await startHost({ secret: 'sesame' });
    app.on('warning', () => {});
    await many(120, () => sendBytes(app, 'guess\0'));
    await app.release();
    expect(printed).toEqual([]);
  });

  it('sets a timer in a flood, and has none after the release', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const app = await startHost({ verbose: true, secret: 'sesame' });
    await many(120, () => sendBytes(app, 'guess\0'));
    await many(120, () => sendBytes(app, 'cut off'));
    expect(vi.getTimerCount()).toBe(2);
    await app.release();
    expect(vi.getTimerCount()).toBe(0);
  });
});

/** So many, a few at a time. */
async function many(count: number, act: () => Promise<unknown>): Promise<void> {
  for (let done = 0; done < count; done += 20) await Promise.all(Array.from({ length: 20 }, act));
}
