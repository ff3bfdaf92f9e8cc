import { expectTypeOf } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { type Client, type Handler, Singleton } from '../../src/index.ts';

interface Job {
  readonly file: string;
}
interface Done {
  readonly isDone: boolean;
}
const app = new Singleton({ codec: json<Job, Done>(), args: { file: 'a' } });

// What a handler gets and may return.
app.handle(({ file }, client) => {
  expectTypeOf(file).toEqualTypeOf<string>();
  expectTypeOf(client).toEqualTypeOf<Client<Done>>();
  return { isDone: true };
});
app.handle(async () => ({ isDone: true }), { concurrency: 4 });
app.handle((_, client) => void client.exit(3));
app.handle(async () => {});
app.handle(() => undefined);
const handler: Handler<Job, Done> = async ({ file }) => ({ isDone: file !== '' });
expectTypeOf(app.handle(handler)).toEqualTypeOf<typeof app>();
expectTypeOf(app.removeHandler()).toEqualTypeOf<typeof app>();

// @ts-expect-error the value is not a Done
app.handle(() => 'done');
// @ts-expect-error the value is not a Done
app.handle(async () => ({ isDone: 'yes' }));
// @ts-expect-error the arguments are a Job
app.handle((args: number) => ({ isDone: args > 0 }));
// @ts-expect-error concurrency is a number
app.handle(handler, { concurrency: '4' });

// Without a codec that has replies, a handler returns anything: a launch over legacy() has no answer.
new Singleton().handle((args) => args.length);
