import type { Codec } from '../interface/codec.ts';
import { invalidArgsError, type Schema, validate } from './schema.ts';

/**
 * A codec whose arguments are validated: on the client before anything is sent, which is then what was given, and on the
 * host before anything is counted, which publishes what the schema makes of it.
 */
export function validated<T, R>(codec: Codec<unknown, R>, schema: Schema<unknown, T>): Codec<T, R> {
  const { protocol } = codec;
  return {
    ...codec,
    protocol: {
      async inbound() {
        const [{ validating }, receive] = await Promise.all([import('./host/index.ts'), protocol.inbound()]);
        return validating(receive, schema);
      },
      async outbound(launch, terms) {
        const result = await validate(schema, launch.args, 'The arguments were not validated: the schema threw.');
        if (!result.issues) return protocol.outbound(launch, terms);
        throw invalidArgsError(`Expected arguments that the schema allows: ${describe(result.issues)}.`, result);
      },
    },
  };
}

/** The first issues, each with its endpoint; a schema may give what it should not. */
function describe(issues: unknown): string {
  if (!Array.isArray(issues) || issues.length === 0) return 'it gave no reason';
  const lines = issues.slice(0, 3).map((issue: unknown) => {
    const { path, message } = Object(issue);
    const keys = Array.isArray(path) ? path.map((segment: unknown) => String(Object(segment).key ?? segment)) : [];
    return `${['args', ...keys].join('.')}: ${String(message)}`;
  });
  if (issues.length > lines.length) lines.push(`and ${issues.length - lines.length} more`);
  return lines.join('; ');
}
