import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Codec, Reception } from '../codecs/codec.ts';
import { SingletonError } from './errors.ts';

/** Any schema of the Standard Schema specification: of zod, valibot, arktype and others. */
export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>;

/**
 * A codec whose arguments are validated: on the client before anything is sent, which is then what was given, and on the
 * host before anything is counted, which publishes what the schema makes of it.
 */
export function validated<T, R>(codec: Codec<unknown, R>, schema: Schema<unknown, T>): Codec<T, R> {
  const { protocol } = codec;
  return {
    ...codec,
    load: async () => codec.load?.(),
    protocol: {
      receive(connection, terms, receiver) {
        const answer = protocol.receive(connection, terms, {
          received: (reception) => {
            accept(reception, schema).then(
              (accepted) => receiver.received(accepted),
              (fault: unknown) => {
                answer?.refuse('ERR_SINGLETON_INVALID_ARGS');
                receiver.failed(fault);
              },
            );
          },
          failed: (fault) => receiver.failed(fault),
        });
        return answer;
      },
      async prepare(launch, terms) {
        const result = await validate(schema, launch.args, 'The arguments were not validated: the schema threw.');
        if (!result.issues) return protocol.prepare(launch, terms);
        throw invalidArgs(`Expected arguments that the schema allows: ${describe(result.issues)}.`, result);
      },
    },
  };
}

async function accept<T, R>(reception: Reception<unknown, R>, schema: Schema<unknown, T>): Promise<Reception<T, R>> {
  if (!reception.verified) return reception;
  const { launch } = reception;
  const result = await validate(schema, launch.args, 'A launch was refused: the schema threw.');
  if (!result.issues) return { ...reception, launch: { ...launch, args: result.value } };
  throw invalidArgs('A launch was refused: the schema does not allow its arguments.', unseen(result));
}

async function validate<T>(
  schema: Schema<unknown, T>,
  args: unknown,
  whenItThrows: string,
): Promise<StandardSchemaV1.Result<T>> {
  try {
    const result = await schema['~standard'].validate(args);
    if (typeof result === 'object' && result !== null) return result;
  } catch (cause) {
    throw invalidArgs(whenItThrows, cause);
  }
  throw invalidArgs('Expected a result of the schema; it gave none.', undefined);
}

function invalidArgs(message: string, cause: unknown): SingletonError {
  return new SingletonError('ERR_SINGLETON_INVALID_ARGS', message, { cause });
}

/** What the issues say may quote the client: `cause.issues` has them, and whoever prints the error does not print them. */
function unseen({ issues }: StandardSchemaV1.FailureResult): object {
  return Object.defineProperty({}, 'issues', { value: issues });
}

/** The first issues, each with its place; a schema may give what it should not. */
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
