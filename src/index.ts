export { Singleton } from './core/singleton.ts';
export { MultipleSingletonsError, SingletonError, type SingletonErrorCode } from './interface/errors.ts';
export type { HostInfo, HostStatus, Outcome, Receipt } from './interface/receipt.ts';
export type { Arrival, Client, Observer, ReleaseReason, SingletonEvents, VerifyFailure } from './core/events.ts';
export type { DiagnosticsMessages } from './core/diagnostics.ts';
export type { DeliveryOptions, HostOptions, SenderOptions } from './core/options/options.ts';
export type {
  ArgsOption,
  NoSchema,
  SchemaOption,
  SendOptions,
  SingletonOptions,
  StatusOptions,
  ValidatedOptions,
  ValidatedSendOptions,
} from './core/options/singleton-options.ts';
export type { CodecList, CodecListSend, CodecUnion } from './core/options/codec-list.ts';
export type { ReleaseOptions } from './core/emitter.ts';
export type { HandleOptions, Handler } from './core/subscribers.ts';
export type { Schema } from './core/options/schema.ts';
export type { Start, StartOptions } from './core/options/start.ts';
export { generateSecret } from './core/options/secret.ts';
export { legacy } from './codecs/legacy.ts';
export type { Codec } from './interface/codec.ts';
export type { ClientOutput } from './interface/session.ts';
export type { VerifyFailureReason } from './interface/protocol.ts';
export { tcp, type TcpOptions } from './transports/tcp.ts';
export type { Connection, ConnectOptions, Listener, ListenOptions, Transport } from './interface/transport.ts';
