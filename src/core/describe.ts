import type { InspectOptions } from 'node:util';
import type { ResolvedOptions } from './options/resolved-options.ts';

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
  const { transport: _, optionWarning: __, stdio: ___, schema: ____, codec: _____, codecs, secret, ...rest } = options;
  const shown = {
    endpoint,
    listening,
    clients,
    pending,
    codec: codecs.map(({ name }) => name).join(', '),
    secret: secret && '***',
    ...rest,
  };
  return `Singleton ${process.getBuiltinModule('node:util').inspect(shown, inspectOptions)}`;
}

/**
 * Sets what `console.log` prints. Without an import of node:util for `inspect.custom`: it reads all that it loads lazily, 2 %
 * of a launch.
 */
export function inspectBy<T extends object>(prototype: T, text: (self: T, options: InspectOptions) => string): void {
  const value = function (this: T, _depth: number, options: InspectOptions): string {
    return text(this, options);
  };
  Object.defineProperty(prototype, Symbol.for('nodejs.util.inspect.custom'), { value });
}
