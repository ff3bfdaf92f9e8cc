import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ReadLaunch, LaunchResult } from '../interface/codec.ts';
import { invalidArgsError, type Schema, validate } from './schema.ts';

/** Has what is received validated, before it is told. */
export function validating<T, R>(receive: ReadLaunch<unknown, R>, schema: Schema<unknown, T>): ReadLaunch<T, R> {
  if (typeof receive !== 'function') throw new TypeError('Expected load() to give a function.');
  return (connection, terms, receiver) => {
    const answer = receive(connection, terms, {
      onLaunch: (reception) => {
        accept(reception, schema).then(
          (accepted) => receiver.onLaunch(accepted),
          (fault: unknown) => {
            answer?.reject('ERR_SINGLETON_INVALID_ARGS');
            receiver.onError(fault);
          },
        );
      },
      onError: (fault) => receiver.onError(fault),
    });
    return answer;
  };
}

async function accept<T, R>(
  reception: LaunchResult<unknown, R>,
  schema: Schema<unknown, T>,
): Promise<LaunchResult<T, R>> {
  if (!reception.verified) return reception;
  const { launch } = reception;
  const result = await validate(schema, launch.args, 'A launch was refused: the schema threw.');
  if (!result.issues) return { ...reception, launch: { ...launch, args: result.value } };
  throw invalidArgsError('A launch was refused: the schema does not allow its arguments.', hideIssues(result));
}

/** What the issues say may quote the client: `cause.issues` has them, and whoever prints the error does not print them. */
function hideIssues({ issues }: StandardSchemaV1.FailureResult): object {
  return Object.defineProperty({}, 'issues', { value: issues });
}
