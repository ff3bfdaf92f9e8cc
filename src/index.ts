export { Singleton } from './core/singleton.ts';
export { MultipleSingletonsError, SingletonError, type SingletonErrorCode } from './interface/errors.ts';
export type { Arrival, Client, ReleaseReason, SingletonEvents, VerifyFailure } from './core/events.ts';
export { generateSecret } from './core/secret.ts';
export type { Schema } from './core/schema.ts';
export type { HostInfo, Outcome, Receipt } from './interface/receipt.ts';
export type { Observer } from './core/host/observers.ts';
export type {
  ArgsOption,
  DeliveryOptions as HandOffOptions,
  HostOptions,
  NoSchema,
  SchemaOption,
  SendOptions,
  SingletonOptions,
  ValidatedOptions,
  ValidatedSendOptions,
} from './core/options.ts';
export { legacy } from './codecs/legacy.ts';
export type {
  Responder as Answer,
  Attended,
  Codec,
  CodecOptions,
  ReceiptData as Confirmation,
  ReceiptOutcome as ConfirmedOutcome,
  DecodeLimits,
  DeliveryResult as Delivery,
  Session as Dialogue,
  Deliver as HandOff,
  Launch,
  Protocol,
  ReadLaunch as Receive,
  LaunchHandler as Receiver,
  LaunchResult as Reception,
  RefusalCode,
  Stdio as Streams,
  ProtocolOptions as Terms,
  VerifiedLaunch as Verified,
  VerifyFailureReason,
} from './interface/codec.ts';
export { tcp, type TcpOptions } from './transports/tcp.ts';
export type { Connection, ConnectOptions, Listener, ListenOptions, Transport } from './interface/transport.ts';
