import { deepEqual } from 'node:assert/strict';
import { changes, type TestContext } from './compliance-context.ts';

/** The names by which `process.getActiveResourcesInfo()` lists a listener and a connection. */
interface Resources {
  readonly listener: string;
  readonly connection: string;
}

/** Whether the process stays alive as `ref()` and `unref()` of the listener say. */
export function keepAliveGuarantees({
  listener: ofListener,
  connection: ofConnection,
}: Resources): Record<string, (context: TestContext) => Promise<void>> {
  /** The change in the count: the listener and the host's end of a connection. The client's end does not change. */
  const both = ofListener === ofConnection ? -2 : -1;
  return {
    async 'keeps the process alive with a listener until unref()'(context) {
      const [host] = await context.create();
      const { listener } = await context.listen(host);
      deepEqual(changes(listener, ofListener, ['unref', 'ref', 'unref']), [-1, 0, -1]);
    },
    async 'applies ref() and unref() of the listener to its connections'(context) {
      const { listener } = await context.connected();
      deepEqual(changes(listener, ofConnection, ['unref', 'ref', 'unref']), [both, 0, both]);
    },
    async 'applies unref() to connections that arrive later'(context) {
      const [host, client] = await context.create();
      const { listener, nextAccepted } = await context.listen(host);
      listener.unref();
      const accepted = nextAccepted();
      await Promise.all([accepted, context.open(client)]);
      deepEqual(changes(listener, ofConnection, ['unref', 'ref']), [0, -both]);
    },
  };
}
