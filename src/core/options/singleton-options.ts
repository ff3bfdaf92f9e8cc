import type { Codec } from '../../interface/codec.ts';
import type { Codecs } from './codec-list.ts';
import type { DeliveryOptions, HostOptions, SenderOptions } from './options.ts';
import type { Schema } from './schema.ts';

/** `args`, which has a default only if `T` is a list of strings. */
export type ArgsOption<T, R = unknown> = readonly string[] extends T
  ? {
      /**
       * The arguments of this launch. A list of strings is copied; do not change another value before the delivery.
       * @default process.argv.slice(2)
       */
      readonly args?: NoInfer<T> | undefined;
    }
  : {
      /** The arguments of this launch. */
      readonly args: NoInfer<Exclude<T, undefined>>;
      /** How arguments and replies are encoded; `T` and `R` are inferred from it. Host and client need the same. */
      readonly codec: Codec<T, R>;
    };

/**
 * `args` of a host. With `client: false` it delivers none, and needs them only to dispatch them itself (`self: true`). A union, not
 * one more overload: the compiler still reports a wrong `args` at `args`, and a missing one by the last member.
 */
export type HostArgs<Args> =
  | UnusedArgs<Args>
  | {
      /** The arguments of this launch. */
      readonly args: NoInfer<Args>;
    };

type UnusedArgs<Args> = {
  /** `false`: a second launch neither connects nor sends, so that `args` is optional. */
  readonly client: false;
  /** Not `true`, with which the host dispatches `args`. */
  readonly self?: false | undefined;
  /** The arguments of this launch. They are not used. */
  readonly args?: NoInfer<Args> | undefined;
};

/** `ArgsOption` of a host. */
type HostArgsOption<T, R> = readonly string[] extends T
  ? ArgsOption<T, R>
  : HostArgs<Exclude<T, undefined>> & {
      /** How arguments and replies are encoded; `T` and `R` are inferred from it. Host and client need the same. */
      readonly codec: Codec<T, R>;
    };

/** Arguments that are validated: `Input` is what a client passes, `Output` is what a listener receives. */
export type SchemaOption<Input, Output, R = unknown> = SchemaOnly<Input, Output> &
  SchemaCodecs<R> & {
    /** The arguments of this launch. */
    readonly args: NoInfer<Input>;
  };

type SchemaOnly<Input, Output> = {
  /** A Standard Schema (zod, valibot, arktype, …): validates arguments before they are sent and before they are dispatched. */
  readonly schema: Schema<Input, Output>;
};

/** The codec beside a schema. */
type SchemaCodecs<R> = {
  /** How arguments and replies are encoded; `R` is inferred from it. See `CodecList` for several. */
  readonly codec: Codec<unknown, R> | readonly [Codec<unknown, R>, ...Codec<unknown, R>[]];
};

/**
 * `schema` and `args` by the type of the schema. Without one `args` fits nothing, so that the compiler reports a wrong `args` there
 * and not at the call: it does so if all overloads fail at the same place.
 */
type InferredArgs<S> = {
  readonly schema?: S;
  readonly args: NoInfer<InputOf<S>>;
};

type InputOf<S> = S extends Schema<infer Input, unknown> ? Input : never;

/** `ValidatedOptions` by the type of the schema. Without a schema `client: false` fits nothing either. */
export type Validated<S extends MaybeSchema, R> = Omit<HostOptions<unknown, R>, 'codec'> &
  SchemaCodecs<R> &
  ((UnusedArgs<InputOf<S>> & { readonly schema: S & Schema }) | InferredArgs<S>);

/** `ValidatedSendOptions` by the type of the schema. */
export type ValidatedSend<S extends MaybeSchema, R> = Omit<SenderOptions<unknown, R>, 'codec'> &
  SchemaCodecs<R> &
  InferredArgs<S>;

export type MaybeSchema = Schema | undefined;

/** What the schema makes of the arguments. */
export type OutputOf<S> = S extends Schema<unknown, infer Output> ? Output : never;

/** Options of `Singleton.status`. */
export type StatusOptions = Pick<
  DeliveryOptions<never>,
  'address' | 'port' | 'transport' | 'name' | 'secret' | 'secretFile' | 'deliveryTimeout' | 'maxMessageBytes' | 'signal'
> & {
  /**
   * A codec of the host. Over `legacy()` the status only shows that a host is there.
   * @default legacy()
   */
  readonly codec?: Codec<any, any> | Codecs | undefined;
};

/** Distinguishes options without a schema from those with one, which have types of their own. */
export type NoSchema = {
  /** See `ValidatedOptions`. */
  readonly schema?: undefined;
};

/** All options of `Singleton`. */
export type SingletonOptions<T = readonly string[], R = unknown> = HostOptions<T, R> & HostArgsOption<T, R> & NoSchema;

/** All options of `Singleton` with a `schema`. */
export type ValidatedOptions<Input, Output, R = unknown> = Omit<HostOptions<unknown, R>, 'codec'> &
  SchemaOnly<Input, Output> &
  SchemaCodecs<R> &
  HostArgs<Input>;

/** All options of `Singleton.send`. */
export type SendOptions<T = readonly string[], R = unknown> = SenderOptions<T, R> & ArgsOption<T, R> & NoSchema;

/** All options of `Singleton.send` with a `schema`. */
export type ValidatedSendOptions<Input, R = unknown> = Omit<SenderOptions<unknown, R>, 'codec'> &
  SchemaOption<Input, unknown, R>;
