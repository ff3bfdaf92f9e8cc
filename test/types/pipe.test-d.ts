import { pipe, type PipeOptions } from '../../src/transports/pipe.ts';

/** Never called: that it compiles is the test. */
export function check(directory: string | undefined): void {
  pipe({ name: 'app' });
  pipe({ name: 'app', directory });
  pipe({ path: '/run/app/socket' });
  // @ts-expect-error One of them is needed.
  pipe({ directory: '/run' });
  // @ts-expect-error A path has its own directory.
  pipe({ path: '/run/app/socket', directory: '/run' });
  // @ts-expect-error Either a name or a path.
  const both: PipeOptions = { name: 'app', path: '/run/app/socket' };
  pipe(both);
}
