/** Whether a listener succeeded; a promise if that is not known yet. */
export type ListenerResult = boolean | PromiseLike<boolean>;

/** Calls a listener. What it throws or rejects with goes to `onError`, and never to the caller. */
export function callSafely(
  listener: (...args: never[]) => unknown,
  target: object | undefined,
  args: readonly unknown[],
  onError: (cause: unknown) => void,
): ListenerResult {
  const fail = (cause: unknown): false => {
    onError(cause);
    return false;
  };
  try {
    const result: unknown = Reflect.apply(listener, target, args);
    if (!isThenable(result)) return true;
    // Not `Promise.resolve`: it returns a promise as it is, with a `then` of its own if it has one.
    return new Promise((resolve) => resolve(result)).then(() => true, fail);
  } catch (cause) {
    return fail(cause);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  const canHaveThen = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return canHaveThen && 'then' in value && typeof value.then === 'function';
}
