export { Singleton } from './core/singleton.ts';
export { MultipleSingletonsError, SingletonError, type SingletonErrorCode } from './interface/errors.ts';
export type { HostInfo, Outcome, Receipt } from './interface/receipt.ts';
export type { Arrival, Client, Observer, ReleaseReason, SingletonEvents, VerifyFailure } from './core/events.ts';
export type {
  ArgsOption,
  DeliveryOptions,
  HostOptions,
  NoSchema,
  SchemaOption,
  SendOptions,
  SingletonOptions,
  ValidatedOptions,
  ValidatedSendOptions,
} from './core/options.ts';
export type { Schema } from './core/schema.ts';
export { generateSecret } from './core/secret.ts';
export { legacy } from './codecs/legacy.ts';
export type { Codec, VerifyFailureReason } from './interface/codec.ts';
export { tcp, type TcpOptions } from './transports/tcp.ts';
export type { Connection, ConnectOptions, Listener, ListenOptions, Transport } from './interface/transport.ts';
