import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { onTestFinished } from 'vitest';
import type { DiagnosticsMessages } from '../../src/index.ts';

type Names = keyof DiagnosticsMessages;
/** The name of a channel without what all have in common. */
type ShortName = Names extends `socket-singleton:${infer Short}` ? Short : never;

/** What is published to a channel until the test ends. */
export function recordMessages<Short extends ShortName>(
  name: Short,
): readonly DiagnosticsMessages[`socket-singleton:${Short}`][] {
  const messages: DiagnosticsMessages[`socket-singleton:${Short}`][] = [];
  onMessage(name, (message) => messages.push(message));
  return messages;
}

/** Subscribes to a channel until the test ends. */
export function onMessage<Short extends ShortName>(
  name: Short,
  listener: (message: DiagnosticsMessages[`socket-singleton:${Short}`]) => unknown,
): void {
  // `any`: to Node, every message is unknown.
  const onAny = (message: any): void => void listener(message);
  subscribe(`socket-singleton:${name}`, onAny);
  onTestFinished(() => void unsubscribe(`socket-singleton:${name}`, onAny));
}
