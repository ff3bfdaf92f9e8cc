import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Receive, Reception } from '../interface/codec.ts';
import { invalidArgs, type Schema, validate } from './schema.ts';

/** Has what is received validated, before it is told. */
export function validating<T, R>(receive: Receive<unknown, R>, schema: Schema<unknown, T>): Receive<T, R> {
  if (typeof receive !== 'function') throw new TypeError('Expected load() to give a function.');
  return (connection, terms, receiver) => {
    const answer = receive(connection, terms, {
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
  };
}

async function accept<T, R>(reception: Reception<unknown, R>, schema: Schema<unknown, T>): Promise<Reception<T, R>> {
  if (!reception.verified) return reception;
  const { launch } = reception;
  const result = await validate(schema, launch.args, 'A launch was refused: the schema threw.');
  if (!result.issues) return { ...reception, launch: { ...launch, args: result.value } };
  throw invalidArgs('A launch was refused: the schema does not allow its arguments.', unseen(result));
}

/** What the issues say may quote the client: `cause.issues` has them, and whoever prints the error does not print them. */
function unseen({ issues }: StandardSchemaV1.FailureResult): object {
  return Object.defineProperty({}, 'issues', { value: issues });
}
