import { EventEmitter } from 'node:events';
import type * as Typed from 'typed-emitter';

/** Its types say less than `typed-emitter`, which has no code of its own, says of the same class. */
const untyped: any = EventEmitter;

/** Node's `EventEmitter`, with the types of `typed-emitter`. */
export const TypedEmitter: new <Events extends Typed.EventMap>() => Typed.default<Events> = untyped;
