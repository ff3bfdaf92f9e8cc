import type { InspectOptions } from 'node:util';
import type { ResolvedOptions } from './options.ts';

/** What a Singleton shows of its state. */
interface State {
  readonly endpoint: string;
  readonly listening: boolean;
  readonly clients: number;
  readonly arguments: readonly unknown[];
}

/** State and options as text. The secret is masked. */
export function describe<T, R>(
  { endpoint, listening, clients, arguments: { length: pending } }: State,
  options: ResolvedOptions<T, R>,
  inspectOptions: InspectOptions = {},
): string {
  const { transport: _, optionWarning: __, stdio: ___, schema: ____, codec, secret, ...rest } = options;
  const shown = { endpoint, listening, clients, pending, codec: codec.name, secret: secret && '***', ...rest };
  return `Singleton ${process.getBuiltinModule('node:util').inspect(shown, inspectOptions)}`;
}
