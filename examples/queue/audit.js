// The audit log: who launched what, how it ended, and who was refused, as one line of JSON each.
import { subscribe } from 'node:diagnostics_channel';
import { pino } from 'pino';

const log = pino({ messageKey: 'event', serializers: { warning: ({ code, message }) => ({ code, message }) } });
for (const event of ['acquire', 'client', 'dispatch', 'result', 'verifyFailed', 'warning', 'release'])
  subscribe(`socket-singleton:${event}`, (message) => log.info(message, event));
