import { once } from 'node:events';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SingletonError } from '../../../src/interface/errors.ts';
import type { EtcdStoreOptions } from '../../../src/transports/etcd/options.ts';
import { etcdStore } from '../../../src/transports/etcd/store.ts';
import { errorAnswer, heldAnswer, startStub, type StubAnswer } from '../../helpers/etcd-stub.ts';
import { freePort, portOf } from '../../helpers/program.ts';

const KEY = 'acme/editor';
const unlimited = (): { signal: AbortSignal } => ({ signal: new AbortController().signal });
const free: StubAnswer = [200, { header: {} }];

/** Reads from endpoints. Resolves to the error, or rejects if there is none. */
async function failureOf(endpoints: readonly string[], options: Partial<EtcdStoreOptions> = {}): Promise<Error> {
  const read = etcdStore({ key: KEY, endpoints, ...options }).read(unlimited());
  const result = await read.catch((error: unknown) => error);
  if (result instanceof Error) return result;
  throw new Error(`Expected an error, got ${inspect(result)}.`);
}

async function failureOfAnswer(answer: StubAnswer, options?: Partial<EtcdStoreOptions>): Promise<Error> {
  const stub = await startStub(() => answer);
  return failureOf([stub.endpoint], options);
}

async function refusing(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`;
}

/** A server that accepts connections and never answers. */
async function silent(): Promise<string> {
  const server = createServer().listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const sockets: { destroy(): unknown }[] = [];
  server.on('connection', (socket) => sockets.push(socket.on('error', () => {})));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${portOf(server)}`;
}

describe('an error that another attempt cannot mend', () => {
  it.each<[string, StubAnswer, string]>([
    ['a gateway that is off', [404, '404 page not found\n'], 'Start it with --enable-grpc-gateway'],
    ['no permission', errorAnswer(403, 7, 'etcdserver: permission denied'), `grant-permission ROLE readwrite ${KEY}`],
    ['no permission, in version 2', [403, { code: 7, message: 'etcdserver: permission denied' }], 'no permission'],
    ['a user that is missing', errorAnswer(400, 3, 'etcdserver: user name is empty'), 'Set the options "username"'],
    [
      'a certificate with a name',
      [400, 'CommonName of client sending a request against gateway will be ignored and not used as expected\n'],
      'without a CommonName',
    ],
    ['a revision that no number has', heldAnswer('a', '9007199254740992'), 'beyond 9007199254740991'],
  ])('is final and says what to do: %s', async (_, answer, advice) => {
    const error = await failureOfAnswer(answer);
    expect(error).toBeInstanceOf(SingletonError);
    expect(error).toMatchObject({ code: 'ERR_SINGLETON_ENDPOINT_UNAVAILABLE' });
    expect(error.message).toContain(advice);
    expect(error.message).toContain('etcd at http://127.0.0.1:');
  });

  it('ends acquire, too, and the lease that it has taken', async () => {
    const stub = await startStub(({ path }) =>
      path === '/v3/kv/txn' ? errorAnswer(403, 7, 'permission denied') : free,
    );
    const acquiring = etcdStore({ key: KEY, endpoints: [stub.endpoint] }).acquire('a', 1000, unlimited());
    await expect(acquiring).rejects.toThrow(SingletonError);
    expect(stub.requests.map(({ path }) => path)).toEqual(['/v3/lease/grant', '/v3/kv/txn', '/v3/lease/revoke']);
    expect(stub.requests[2]?.body['ID']).toBe(stub.requests[0]?.body['ID']);
  });

  it('is a revision of its own key that no number has', async () => {
    const put = { responses: [{}, { response_range: { kvs: [{ create_revision: '9007199254740993' }] } }] };
    const stub = await startStub(() => [200, { succeeded: true, ...put }]);
    const acquiring = etcdStore({ key: KEY, endpoints: [stub.endpoint] }).acquire('a', 1000, unlimited());
    await expect(acquiring).rejects.toThrow(SingletonError);
    expect(stub.requests.at(-1)?.path).toBe('/v3/lease/revoke');
  });
});

describe('an error that another attempt may mend', () => {
  it.each<[string, StubAnswer, string]>([
    ['no leader', errorAnswer(503, 14, 'etcdserver: no leader'), 'etcdserver: no leader'],
    ['too many requests', errorAnswer(429, 8, 'etcdserver: too many requests'), 'too many requests'],
    ['an error in a stream', [200, { error: { grpc_code: 14, message: 'etcdserver: no leader' } }], 'no leader'],
    ['another server', [200, '<html></html>'], 'Check that the URL is one of a client port'],
    ['an answer of more than 64 KiB', [200, `"${'x'.repeat(65_535)}"`], 'more than 65536 bytes'],
    [
      'an answer that is cut off',
      (response) => void response.writeHead(200).write('{', () => response.destroy()),
      'ask',
    ],
    ['a reset', (response) => void response.destroy(), 'If it uses TLS, write https.'],
  ])('is an error that names the endpoint: %s', async (_, answer, text) => {
    const error = await failureOfAnswer(answer);
    expect(error).not.toBeInstanceOf(SingletonError);
    expect(error.message).toMatch(/etcd at http:\/\/127\.0\.0\.1:\d+/);
    expect(error.message).toContain(text);
  });

  it('is an endpoint that refuses', async () => {
    const endpoint = await refusing();
    const error = await failureOf([endpoint]);
    expect(error).not.toBeInstanceOf(SingletonError);
    expect(error.message).toContain(`Could not ask etcd at ${endpoint}: connect ECONNREFUSED`);
  });

  it('is a signal that aborts', async () => {
    const endpoint = await silent();
    const controller = new AbortController();
    const reading = etcdStore({ key: KEY, endpoints: [endpoint] }).read(controller);
    controller.abort();
    await expect(reading).rejects.toThrow(`etcd at ${endpoint} has not answered in time`);
    await expect(reading).rejects.not.toThrow(SingletonError);
  });
});

describe('several endpoints', () => {
  it.each([
    ['refuses', refusing],
    ['does not answer', silent],
    ['is not available', async () => (await startStub(() => errorAnswer(503, 14, 'no leader'))).endpoint],
    ['is another server', async () => (await startStub(() => [404, 'Not found'])).endpoint],
  ])('are asked in turn: the first one %s', async (_, first) => {
    const stub = await startStub(() => heldAnswer('a', '5'));
    const store = etcdStore({ key: KEY, endpoints: [await first(), stub.endpoint] });
    expect(await store.read(unlimited())).toEqual({ value: 'a', token: 5 });
  });

  it('begin with the one that answered last', async () => {
    let isUp = false;
    const first = await startStub(() => (isUp ? free : errorAnswer(503, 14, 'no leader')));
    const second = await startStub(() => free);
    const store = etcdStore({ key: KEY, endpoints: [first.endpoint, second.endpoint] });
    await store.read(unlimited());
    isUp = true;
    await store.read(unlimited());
    expect([first.requests.length, second.requests.length]).toEqual([1, 2]);
  });

  it('begin with another one after one that did not answer before the signal aborted', async () => {
    const controller = new AbortController();
    const first = await startStub(() => () => controller.abort());
    const second = await startStub(() => heldAnswer('a', '5'));
    const store = etcdStore({ key: KEY, endpoints: [first.endpoint, second.endpoint] });
    await expect(store.read(controller)).rejects.toThrow('has not answered in time');
    expect(await store.read(unlimited())).toEqual({ value: 'a', token: 5 });
    expect([first.requests.length, second.requests.length]).toEqual([1, 1]);
  });

  it('are not asked for what the cluster has refused', async () => {
    const stubs = await Promise.all([1, 2].map(() => startStub(() => errorAnswer(403, 7, 'permission denied'))));
    await failureOf(stubs.map(({ endpoint }) => endpoint));
    expect(stubs.map(({ requests }) => requests.length)).toEqual([1, 0]);
  });

  it('report the most telling error, which is final only if all are', async () => {
    const off = await startStub(() => [404, 'Not found']);
    const unavailable = await startStub(() => errorAnswer(503, 14, 'etcdserver: no leader'));
    const down = await refusing();
    expect((await failureOf([down, unavailable.endpoint])).message).toContain('no leader');
    expect((await failureOf([unavailable.endpoint, down])).message).toContain('no leader');
    const mixed = await failureOf([off.endpoint, down]);
    expect(mixed.message).toContain('--enable-grpc-gateway');
    expect(mixed).not.toBeInstanceOf(SingletonError);
    expect(await failureOf([off.endpoint, off.endpoint])).toBeInstanceOf(SingletonError);
  });
});

describe('a connection', () => {
  it('is kept, and replaced if it was closed meanwhile', async () => {
    const ports: unknown[] = [];
    const stub = await startStub(() => (response) => {
      ports.push(response.socket?.remotePort);
      // The third request arrives on a connection that closes instead of an answer.
      if (ports.length === 3) response.destroy();
      else response.end('{}');
    });
    const store = etcdStore({ key: KEY, endpoints: [stub.endpoint] });
    for (let count = 0; count < 3; count += 1) expect(await store.read(unlimited())).toBeUndefined();
    const [first, second, third, fourth] = ports;
    expect([second, third]).toEqual([first, first]);
    expect(fourth).not.toBe(first);
  });
});

describe('a request that takes too long on a kept connection', () => {
  it('is not sent again to the same endpoint', async () => {
    let count = 0;
    const first = await startStub(() => ((count += 1) === 1 ? free : () => {}));
    const second = await startStub(() => free);
    const store = etcdStore({ key: KEY, endpoints: [first.endpoint, second.endpoint] });
    await store.read(unlimited());
    await store.read(unlimited());
    await store.read(unlimited());
    expect([first.requests.length, second.requests.length]).toEqual([2, 2]);
  });
});

describe('a user', () => {
  const credentials = { username: 'app', password: 'tr0ub4dor&3' };

  it('is authenticated once, and again when the token has expired', async () => {
    let count = 0;
    const stub = await startStub(({ path, authorization }) => {
      if (path === '/v3/auth/authenticate') return [200, { token: `token.${(count += 1)}` }];
      return authorization === 'token.2' ? free : errorAnswer(401, 16, 'etcdserver: invalid auth token');
    });
    const store = etcdStore({ key: KEY, endpoints: [stub.endpoint], ...credentials });
    await store.read(unlimited());
    await store.read(unlimited());
    const [login, range] = ['/v3/auth/authenticate', '/v3/kv/range'];
    expect(stub.requests.map(({ path }) => path)).toEqual([login, range, login, range, range]);
    expect(stub.requests[0]).toMatchObject({ body: { name: 'app', password: credentials.password } });
  });

  it('whose token is refused twice is an error', async () => {
    const stub = await startStub(({ path }) =>
      path === '/v3/auth/authenticate' ? [200, { token: 'a.token' }] : errorAnswer(401, 16, 'invalid auth token'),
    );
    const error = await failureOf([stub.endpoint], credentials);
    expect(error.message).toContain('invalid auth token');
    expect(stub.requests).toHaveLength(4);
  });

  it('has a password and a token that no error shows, nor the store', async () => {
    const shown: string[] = [];
    for (const [status, body] of [
      [404, 'Not found'],
      [403, { code: 7, message: 'etcdserver: permission denied' }],
      [503, { code: 14, message: 'no leader for tr0ub4dor&3 and a.token' }],
      [200, 'tr0ub4dor&3 a.token'],
    ] as const) {
      const stub = await startStub(({ path }) =>
        path === '/v3/auth/authenticate' ? [200, { token: 'a.token' }] : [status, body],
      );
      const store = etcdStore({ key: KEY, endpoints: [stub.endpoint], ...credentials });
      const error = await store.read(unlimited()).catch((reason: unknown) => reason);
      expect(stub.requests).toHaveLength(2);
      const acquiring = await store.acquire('the value', 1000, unlimited()).catch((reason: unknown) => reason);
      shown.push(...[error, acquiring, store].map((each) => inspect(each, { depth: Infinity, showHidden: true })));
    }
    expect(shown.filter((text) => /tr0ub4dor|a\.token|the value/.test(text))).toEqual([]);
  });
});
