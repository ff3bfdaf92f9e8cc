import { subscribe } from 'node:diagnostics_channel';
import { expectTypeOf } from 'vitest';
import type {
  Client,
  DiagnosticsMessages,
  Outcome,
  ReleaseReason,
  SingletonError,
  VerifyFailure,
} from '../../src/index.ts';

type Message<Name extends string> = DiagnosticsMessages[`socket-singleton:${Name}` & keyof DiagnosticsMessages];

// The names of the channels.
expectTypeOf<keyof DiagnosticsMessages>().toEqualTypeOf<`socket-singleton:${
  'acquire' | 'client' | 'dispatch' | 'result' | 'verifyFailed' | 'warning' | 'release'}`>();

// Their messages.
expectTypeOf<DiagnosticsMessages[keyof DiagnosticsMessages]['endpoint']>().toEqualTypeOf<string>();
expectTypeOf<Message<'acquire'>['outcome']>().toEqualTypeOf<'host' | Outcome | undefined>();
expectTypeOf<Message<'acquire'>['error']>().toEqualTypeOf<unknown>();
expectTypeOf<Message<'client'>['client']>().toEqualTypeOf<Client>();
expectTypeOf<Message<'dispatch'>['args']>().toEqualTypeOf<unknown>();
expectTypeOf<Message<'dispatch'>['client']>().toEqualTypeOf<Client>();
expectTypeOf<Message<'result'>['client']>().toEqualTypeOf<Client>();
expectTypeOf<Message<'result'>['result']>().toEqualTypeOf<
  'reply' | 'exit' | 'failed' | 'killed' | 'disconnected' | 'refused' | 'released'
>();
expectTypeOf<Message<'result'>['exitCode']>().toEqualTypeOf<number | undefined>();
expectTypeOf<Message<'result'>['reply']>().toEqualTypeOf<unknown>();
expectTypeOf<Message<'verifyFailed'>['failure']>().toEqualTypeOf<VerifyFailure>();
expectTypeOf<Message<'warning'>['warning']>().toEqualTypeOf<SingletonError>();
expectTypeOf<Message<'release'>['reason']>().toEqualTypeOf<ReleaseReason>();
expectTypeOf<VerifyFailure['count']>().toEqualTypeOf<number>();
expectTypeOf<VerifyFailure['suppressed']>().toEqualTypeOf<number>();

// A subscription with types, as a program writes it once: to Node, every message is unknown.
function on<Name extends keyof DiagnosticsMessages>(
  name: Name,
  listener: (message: DiagnosticsMessages[Name]) => void,
): void {
  const onAny = (message: any): void => listener(message);
  subscribe(name, onAny);
}
on('socket-singleton:verifyFailed', ({ failure }) => expectTypeOf(failure.count).toEqualTypeOf<number>());
// @ts-expect-error no such channel
on('socket-singleton:verify-failed', () => {});
// @ts-expect-error the message has no failure
on('socket-singleton:client', ({ failure }) => failure);
// @ts-expect-error a message is not changed
on('socket-singleton:release', (message) => (message.reason = 'manual'));
