import type { StandardSchemaV1 } from '@standard-schema/spec';
import { SingletonError } from '../interface/errors.ts';

/** Any schema of the Standard Schema specification: of zod, valibot, arktype and others. */
export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>;

/** @throws SingletonError `ERR_SINGLETON_INVALID_ARGS`, where the schema throws */
export async function validate<T>(
  schema: Schema<unknown, T>,
  args: unknown,
  whenItThrows: string,
): Promise<StandardSchemaV1.Result<T>> {
  try {
    const result = await schema['~standard'].validate(args);
    if (typeof result === 'object' && result !== null) return result;
  } catch (cause) {
    throw invalidArgsError(whenItThrows, cause);
  }
  throw invalidArgsError('Expected a result of the schema; it gave none.', undefined);
}

export function invalidArgsError(message: string, cause: unknown): SingletonError {
  return new SingletonError('ERR_SINGLETON_INVALID_ARGS', message, { cause });
}
