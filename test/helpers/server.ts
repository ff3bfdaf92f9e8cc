import { LazyAbortController } from '../../src/core/deadline.ts';
import { TypedEmitter } from '../../src/core/emitter.ts';
import type { SingletonEvents } from '../../src/core/events.ts';
import type { Host } from '../../src/core/host/host.ts';
import { createHost } from '../../src/core/host/index.ts';
import type { ResolvedOptions } from '../../src/core/options/resolved-options.ts';
import { Server } from '../../src/core/server.ts';
import { Subscribers } from '../../src/core/subscribers.ts';

type Events<T> = InstanceType<typeof TypedEmitter<SingletonEvents<T>>>;

export interface Serving<T> {
  readonly server: Server;
  readonly host: Host<T, unknown>;
  readonly emitter: Events<T>;
}

/** A server that listens, with its host, without a Singleton around it. */
export async function serve<T>(
  options: ResolvedOptions<T>,
  observe: (emitter: Events<T>) => void = () => {},
): Promise<Serving<T>> {
  const emitter = new TypedEmitter<SingletonEvents<T>>();
  observe(emitter);
  const server = new Server(
    options,
    (warning) => emitter.emit('warning', warning),
    () => emitter.emit('release', 'lost'),
  );
  await server.listen(new LazyAbortController());
  const subscribers = new Subscribers<T, unknown>(() => {});
  const host = await createHost({
    options,
    emitter,
    subscribers,
    server,
    release: () => {},
  });
  server.attach(host.connections);
  server.serve();
  return { server, host, emitter };
}
