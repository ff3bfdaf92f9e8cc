import type { ConnectionEvents } from '../../src/core/host/connection.ts';
import { ConnectionManager } from '../../src/core/host/connections.ts';
import type { ResolvedOptions } from '../../src/core/options.ts';
import { type ServedHost, Server } from '../../src/core/server.ts';

interface Visited<T, R> extends ServedHost {
  readonly visits: ConnectionManager<T, R>;
}

/** A hold on an endpoint, whose host only reports. */
export function holdOf<T, R>(
  options: ResolvedOptions<T, R>,
  reports: ConnectionEvents<T, R>,
  lost: () => void = () => {},
): Server<Visited<T, R>> {
  return new Server(options, {
    async open(since) {
      const visits = new ConnectionManager(options, await options.codec.protocol.inbound(), since, reports);
      return {
        visits,
        accept: (connection) => visits.accept(connection),
        dropped: () => {},
        drain: () => visits.drain(),
      };
    },
    warn: reports.warning,
    lost,
  });
}
