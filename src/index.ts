export { Singleton } from './core/singleton.ts';
export { MultipleSingletonsError, SingletonError, type SingletonErrorCode } from './core/errors.ts';
export type { Client, ReleaseReason, SingletonEvents, VerifyFailure } from './core/events.ts';
export type { Outcome, Receipt } from './core/receipt.ts';
export type { Observer } from './core/observers.ts';
export type { ArgsOption, HandOffOptions, HostOptions, SendOptions, SingletonOptions } from './core/options.ts';
export { legacy, type LegacyCodec } from './codecs/legacy.ts';
export type {
  Codec,
  DecodeLimits,
  Decoder,
  Format,
  HandOff,
  Launch,
  Protocol,
  Reception,
  Terms,
  Verified,
  VerifyFailureReason,
} from './codecs/codec.ts';
export { tcp, type TcpOptions } from './transports/tcp.ts';
export type { Connection, ConnectOptions, Listener, ListenOptions, Transport } from './transports/transport.ts';
