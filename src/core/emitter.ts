import { EventEmitter } from 'node:events';
import type * as Typed from 'typed-emitter';

/** Its types say less than `typed-emitter`, which has no code of its own, says of the same class. */
const untyped: any = EventEmitter;

/** Node's `EventEmitter`, with the types of `typed-emitter`. */
export const TypedEmitter: new <Events extends Typed.EventMap>() => Typed.default<Events> = untyped;

/**
 * Calls every listener, although one throws. Its error surfaces as an uncaught exception, as from any callback, but does
 * not reach the caller.
 */
export function callEach(
  listeners: readonly ((...args: never[]) => void)[],
  target: object,
  args: readonly unknown[],
): void {
  for (const listener of listeners) {
    try {
      Reflect.apply(listener, target, args);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }
}
