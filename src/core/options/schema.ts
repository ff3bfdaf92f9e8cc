import type { StandardSchemaV1 } from '@standard-schema/spec';
import { SingletonError } from '../../interface/errors.ts';
import { type Deadline, raceAbort } from '../deadline.ts';

/** Any schema of the Standard Schema specification: of zod, valibot, arktype and others. https://standardschema.dev */
export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>;

/** Client: checks the arguments before anything is sent. @throws SingletonError `ERR_SINGLETON_INVALID_ARGS`, or as the deadline */
export async function checkArgs(schema: Schema, args: unknown, deadline: Deadline): Promise<void> {
  const validating = validate(schema, args, 'The arguments could not be validated: the schema threw.');
  const result = await raceAbort(validating, deadline);
  if (result.issues !== undefined)
    throw invalidArgsError(`The schema does not allow the arguments: ${describe(result.issues)}.`, result);
}

/** Host: what the schema makes of a launch's arguments. @throws SingletonError `ERR_SINGLETON_INVALID_ARGS` */
export async function parseArgs<T>(schema: Schema<unknown, T>, args: unknown): Promise<T> {
  const { issues, value } = await validate(schema, args, 'A launch was refused: the schema threw.');
  if (issues === undefined) return value;
  // The issues may quote the client. They are in `cause.issues`, which is not printed with the error.
  const cause = Object.defineProperty({}, 'issues', { value: issues });
  throw invalidArgsError('A launch was refused: the schema does not allow its arguments.', cause);
}

async function validate<T>(
  schema: Schema<unknown, T>,
  args: unknown,
  whenItThrows: string,
): Promise<{ readonly issues: unknown; readonly value: T }> {
  try {
    const result = await schema['~standard'].validate(args);
    // `any`: a schema may return anything, and its getters may throw.
    const { issues, value }: any = result;
    if (typeof result === 'object' && result !== null) return { issues: issues || undefined, value };
  } catch (cause) {
    throw invalidArgsError(whenItThrows, cause);
  }
  throw invalidArgsError('Expected a result of the schema; it gave none.', undefined);
}

function invalidArgsError(message: string, cause: unknown): SingletonError {
  return new SingletonError('ERR_SINGLETON_INVALID_ARGS', message, { cause });
}

/** For the client: why `parseArgs` has refused its arguments, as far as the schema reports it. */
export function describeIssues(error: unknown): string | undefined {
  try {
    const { issues } = Object(Object(error).cause);
    return issues === undefined ? undefined : describe(issues);
  } catch {
    // The issues are objects of the schema, with getters that may throw.
    return undefined;
  }
}

/** The first three issues with their paths. The list is typed, but a schema may return anything. */
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
