import type { HostReports } from '../../src/core/host/connection.ts';
import { Visits } from '../../src/core/host/connections.ts';
import type { ResolvedOptions } from '../../src/core/options.ts';
import { type HeldHost, Hold } from '../../src/core/server.ts';

interface Visited<T, R> extends HeldHost {
  readonly visits: Visits<T, R>;
}

/** A hold on a place, whose host only reports. */
export function holdOf<T, R>(
  options: ResolvedOptions<T, R>,
  reports: HostReports<T, R>,
  lost: () => void = () => {},
): Hold<Visited<T, R>> {
  return new Hold(options, {
    async open(since) {
      const visits = new Visits(options, await options.codec.protocol.load(), since, reports);
      return {
        visits,
        accept: (connection) => visits.accept(connection),
        missed: () => {},
        settle: () => visits.settle(),
      };
    },
    warn: reports.warning,
    lost,
  });
}
