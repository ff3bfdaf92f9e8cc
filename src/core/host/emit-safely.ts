/** Whether a listener did its work; a promise where that is not known yet. */
export type ListenerResult = boolean | PromiseLike<boolean>;

/**
 * Calls every listener, although one throws. Its error surfaces as an uncaught exception, as from any callback, and a
 * rejection as an unhandled one, unless it is forgiven; neither reaches the caller.
 */
export function emitSafely(
  listeners: readonly ((...args: never[]) => unknown)[],
  target: object,
  args: readonly unknown[],
  forgives: (rejection: unknown) => boolean = () => false,
): ListenerResult[] {
  return listeners.map((listener) => {
    try {
      const result: unknown = Reflect.apply(listener, target, args);
      return isThenable(result) ? settle(Promise.resolve(result), forgives) : true;
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
      return false;
    }
  });
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** A rejection that is not forgiven is left unhandled: that of the `catch` is. */
function settle(work: Promise<unknown>, forgives: (rejection: unknown) => boolean): Promise<boolean> {
  return new Promise((resolve) => {
    void work.then(
      () => resolve(true),
      (rejection: unknown) => {
        resolve(false);
        if (!forgives(rejection)) throw rejection;
      },
    );
  });
}
