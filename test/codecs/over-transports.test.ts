import { once } from 'node:events';
import { decode, encode } from 'cborg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { lengthPrefixed } from '../../src/codecs/length-prefixed.ts';
import { msgpack } from '../../src/codecs/msgpack.ts';
import { type Codec, legacy, Singleton, SingletonError, type SingletonOptions } from '../../src/index.ts';
import { endpointNames, endpoints, transportAt } from '../helpers/endpoints.ts';
import { connect, recordEvents, type RecordedEvents, sendBytes } from '../helpers/host.ts';

type Strings = readonly string[];

/** What both sides have; a codec for arguments that are lists of strings, so that one suite does for all. */
interface Wire {
  readonly name: string;
  readonly codec: () => Codec<Strings>;
  readonly secret?: string;
}

const SECRET = 'open sesame, open sesame, open sesame';

const wires: readonly Wire[] = [
  { name: 'legacy', codec: legacy },
  { name: 'legacy with a secret', codec: legacy, secret: SECRET },
  { name: 'json', codec: () => json<Strings>() },
  { name: 'json with a secret', codec: () => json<Strings>(), secret: SECRET },
  { name: 'msgpack', codec: () => msgpack<Strings>() },
  { name: 'msgpack with a secret', codec: () => msgpack<Strings>(), secret: SECRET },
  {
    name: 'another serializer',
    codec: () => lengthPrefixed<Strings>({ name: 'cbor', serialize: encode, deserialize: (bytes) => decode(bytes) }),
  },
];

describe.each(endpointNames.flatMap((endpoint) => wires.map((wire) => ({ endpoint, wire, name: wire.name }))))(
  'Singleton over $endpoint, $name',
  ({ endpoint, wire }) => {
    const outcome = wire.codec === legacy ? 'unconfirmed' : 'delivered';

    test('delivers arguments unchanged and in order', async () => {
      const { app, heard } = await host();
      const launches = [['a', 'two words', '', 'ü 🚀'], ['--flag=1'], ['x'.repeat(100_000), '\r\n\t']];
      for (const args of launches) expect(await launch(app, args)).toBe(outcome);
      expect(heard.args).toEqual(launches);
      expect(heard.warnings).toEqual([]);
    });

    test('delivers a megabyte, and does not send more than maxMessageBytes', async () => {
      const { app, heard } = await host({ maxMessageBytes: 1_100_000 });
      const args = ['m'.repeat(1_048_576)];
      expect(await launch(app, args)).toBe('ERR_SINGLETON_MESSAGE_TOO_LARGE');
      expect(await launch(app, args, { maxMessageBytes: 1_100_000 })).toBe(outcome);
      expect(heard.args).toEqual([args]);
      expect(app.clients).toBe(1);
    });

    test('delivers all of many simultaneous launches', async () => {
      const { app, heard } = await host();
      const launches = Array.from({ length: 8 }, (_, index) => [`launch ${index}`]);
      expect(await Promise.all(launches.map(async (args) => launch(app, args)))).toEqual(launches.map(() => outcome));
      expect(new Set(heard.args.flat())).toEqual(new Set(launches.flat()));
      expect(heard.args).toHaveLength(launches.length);
    });

    test.runIf(wire.secret)('refuses a wrong secret and a missing one, and does not count them', async () => {
      const { app, heard } = await host();
      for (const secret of ['another secret, another secret', undefined]) await launch(app, ['evil'], { secret });
      expect(heard.order).toEqual(['verifyFailed', 'verifyFailed']);
      expect(app.clients).toBe(0);
    });

    test('emits a warning for a connection that breaks off, and does not count it', async () => {
      const { app, heard } = await host();
      await sendBytes(app, 'half of');
      const connection = await connect(app);
      const warned = once(app, 'warning');
      connection.write('a quarter');
      connection.destroy();
      await warned;
      expect(heard.order).toEqual(['warning', 'warning']);
      expect(app.clients).toBe(0);
    });

    test('makes the second acquire() a client, and sends nothing with client: false', async () => {
      const { app, heard } = await host();
      for (const client of [true, false]) {
        const options = { ...shared(), transport: transportAt(app.endpoint), args: ['second'], strict: false, client };
        await expect(Singleton.acquire(options)).rejects.toMatchObject({
          receipt: { outcome: client ? outcome : 'skipped' },
        });
      }
      expect(await launch(app, ['last'])).toBe(outcome);
      expect(heard.order).toEqual(['client', 'args', 'client', 'args']);
    });

    function shared(): { readonly codec: Codec<Strings>; readonly secret: string | undefined } {
      return { codec: wire.codec(), secret: wire.secret };
    }

    async function host(options: Partial<SingletonOptions> = {}): Promise<{ app: Singleton; heard: RecordedEvents }> {
      const app = new Singleton({ ...shared(), transport: endpoints[endpoint](), args: [], ...options });
      onTestFinished(() => app.release());
      return { app: await app.acquire(), heard: recordEvents(app) };
    }

    /** The outcome, or the code of the error. */
    async function launch(app: Singleton, args: Strings, options: Partial<SingletonOptions> = {}): Promise<string> {
      const sending = Singleton.send({ ...shared(), transport: transportAt(app.endpoint), args, ...options });
      return sending.then(
        (receipt) => receipt.outcome,
        (error: unknown) => {
          if (error instanceof SingletonError) return error.code;
          throw error;
        },
      );
    }
  },
);
