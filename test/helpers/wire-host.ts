import { onTestFinished } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { type Client, Singleton, type SingletonOptions } from '../../src/index.ts';

export type HostOptions = Partial<Pick<SingletonOptions<unknown>, 'secret' | 'receiveTimeout' | 'maxClients'>> &
  Partial<Pick<SingletonOptions<unknown>, 'releaseThreshold' | 'maxPending' | 'maxConnections' | 'maxMessageBytes'>>;

export async function acquire(options: HostOptions): Promise<Singleton<unknown>> {
  const app = await Singleton.acquire<unknown>({ port: 0, name: 'notes', codec: json(), args: null, ...options });
  onTestFinished(() => app.release());
  return app;
}

/** A host of the application `notes` with the codec JSON, and the first launch that it dispatches. */
export async function startHost(options: HostOptions) {
  const app = await acquire(options);
  const launched = new Promise<{ readonly args: unknown; readonly client: Client }>((resolve) => {
    app.on('args', (args, client) => resolve({ args, client }));
  });
  return { app, launched };
}
