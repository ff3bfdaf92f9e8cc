import type { Codec } from '../../interface/codec.ts';
import type { HostOptions, SenderOptions } from './options.ts';
import type { HostArgs, NoSchema } from './singleton-options.ts';

/** Codecs of one endpoint. `any`: each has types of its own. */
export type Codecs = readonly [Codec<any, any>, ...Codec<any, any>[]];

/** The arguments that launches with one of these codecs have. */
export type Args<C> = C extends readonly Codec<infer T, any>[] ? T : never;

/** What fits each codec with which a host can reply. */
export type Reply<C> = C extends readonly [Codec<any, infer R>, ...infer Rest]
  ? [R] extends [never]
    ? Reply<Rest>
    : R & Reply<Rest>
  : unknown;

/** `args` of a launch. For a value that is no list of codecs they fit nothing, as in `InferredArgs`. */
type SendArgs<C> = C extends readonly [Codec<infer T, any>, ...Codec<any, any>[]]
  ? readonly string[] extends T
    ? DefaultArgs<T>
    : {
        /** The arguments of this launch, which the first codec encodes. */
        readonly args: NoInfer<T>;
      }
  : { readonly args: never };

/** `args` of a host, as `HostArgs`. */
type AcquireArgs<C> = C extends readonly [Codec<infer T, any>, ...Codec<any, any>[]]
  ? readonly string[] extends T
    ? DefaultArgs<T>
    : HostArgs<T>
  : { readonly args: never };

type DefaultArgs<T> = {
  /**
   * The arguments of this launch, which the first codec encodes.
   * @default process.argv.slice(2)
   */
  readonly args?: NoInfer<T> | undefined;
};

type CodecsOption<C> = {
  /**
   * How arguments and replies are encoded. A launch speaks the first codec, a host accepts each: `client.codec` is the
   * name of the one that a client has.
   */
  readonly codec: C;
};

/** All options of `Singleton.acquire` with several codecs. */
export type CodecList<C> = Omit<HostOptions<unknown>, 'codec'> & CodecsOption<C> & AcquireArgs<C> & NoSchema;

/** All options of `Singleton.send` with several codecs. */
export type CodecListSend<C> = Omit<SenderOptions<unknown>, 'codec'> & CodecsOption<C> & SendArgs<C> & NoSchema;

/** All options of `new Singleton` with several codecs. `T` is the union of their arguments, and is not inferred. */
export type CodecUnion<T, R> = Omit<HostOptions<T, R>, 'codec'> & {
  /** See `CodecList`. */
  readonly codec: readonly [Codec<T, R>, ...Codec<T, R>[]];
} & HostArgs<T> &
  NoSchema;
