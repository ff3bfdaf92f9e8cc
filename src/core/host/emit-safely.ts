/** Whether a listener succeeded; a promise if that is not known yet. */
export type ListenerResult = boolean | PromiseLike<boolean>;

/**
 * Calls every listener of an event, even if one throws. What it throws surfaces as an uncaught exception, as from any callback, and a
 * rejection as an unhandled one, unless it is ignored. Neither reaches the caller.
 */
export function emitSafely(
  listeners: readonly ((...args: never[]) => unknown)[],
  target: object,
  args: readonly unknown[],
  isIgnored: (rejection: unknown) => boolean = () => false,
): ListenerResult[] {
  const results: ListenerResult[] = [];
  for (const listener of listeners) {
    try {
      const result: unknown = Reflect.apply(listener, target, args);
      results.push(isThenable(result) ? settle(Promise.resolve(result), isIgnored) : true);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
      results.push(false);
    }
  }
  return results;
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** A rejection that is not ignored is thrown again in a promise without a handler. */
function settle(work: Promise<unknown>, isIgnored: (rejection: unknown) => boolean): Promise<boolean> {
  return new Promise((resolve) => {
    void work.then(
      () => resolve(true),
      (rejection: unknown) => {
        resolve(false);
        if (!isIgnored(rejection)) throw rejection;
      },
    );
  });
}
