import { once } from 'node:events';
import { createServer } from 'node:http';
import { request } from 'node:https';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { SingletonError } from '../../../src/interface/errors.ts';
import type { EtcdStoreOptions, EtcdTlsOptions } from '../../../src/transports/etcd/options.ts';
import { etcdStore } from '../../../src/transports/etcd/store.ts';
import { type Certificate, CertificateAuthority } from '../../helpers/certificates.ts';
import { describeEtcd, enableAuthentication, type EtcdCluster, type ServerTls, startEtcd } from '../../helpers/etcd.ts';
import { portOf } from '../../helpers/program.ts';

const unlimited = { signal: new AbortController().signal };

let authority: CertificateAuthority;
let client: Certificate;
let nameless: Certificate;
let cluster: EtcdCluster;

async function failureOf(tls: EtcdTlsOptions | undefined, options: Partial<EtcdStoreOptions> = {}): Promise<Error> {
  const read = etcdStore({ endpoints: cluster.endpoints, key: 'key', tls, ...options }).read(unlimited);
  const error = await read.catch((reason: unknown) => reason);
  if (error instanceof Error) return error;
  throw new Error('Expected an error; there is none.');
}

async function expectFinal(failure: Promise<Error>, advice: string): Promise<void> {
  const error = await failure;
  expect(error).toBeInstanceOf(SingletonError);
  expect(error.message).toContain(advice);
  expect(error.message).not.toContain('PRIVATE KEY');
}

describeEtcd('etcd over TLS', () => {
  beforeAll(async () => {
    authority = new CertificateAuthority();
    const { files } = authority.issue('server', '/CN=server');
    client = authority.issue('client', '/CN=client');
    nameless = authority.issue('nameless', '/O=clients');
    const flags = ['--cert-file', files.cert, '--key-file', files.key, '--trusted-ca-file', authority.file];
    const { cert, key } = nameless;
    const get: ServerTls['get'] = (url, options) => request(url, { ...options, ca: authority.cert, cert, key });
    cluster = await startEtcd(1, { flags: [...flags, '--client-cert-auth'], get });
  });
  afterAll(async () => {
    await cluster?.stop();
    authority?.remove();
  });

  it('holds the key with a certificate of the client', async () => {
    const { cert, key } = client;
    const store = etcdStore({ endpoints: cluster.endpoints, key: 'key', tls: { ca: authority.cert, cert, key } });
    const grant = await store.acquire('a', 60_000, unlimited);
    expect(await store.read(unlimited)).toEqual({ value: 'a', token: grant?.token });
    await grant?.release(unlimited);
  });

  it('says what to do if the authority is not known', async () => {
    const { cert, key } = client;
    await expectFinal(failureOf({ cert, key }), 'set "ca" of the option "tls"');
  });

  it('says what to do if the certificate has another name', async () => {
    const { cert, key } = client;
    await expectFinal(failureOf({ ca: authority.cert, cert, key, servername: 'other' }), '"servername"');
  });

  it('says what to do if the client has no certificate', async () => {
    await expectFinal(failureOf({ ca: authority.cert }), 'Check "cert" and "key" of the option "tls"');
  });

  it('says what to do if the key of the client cannot be read', async () => {
    await expectFinal(failureOf({ ca: authority.cert, key: 'no key' }), 'Check the option "tls"');
  });

  it('says what to do if the endpoint has no TLS', async () => {
    const server = createServer().listen({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const endpoints = [`https://127.0.0.1:${portOf(server)}`];
    await expectFinal(failureOf(undefined, { endpoints }), 'does not use TLS. Write http');
  });

  it('names TLS if the endpoint was written without it', async () => {
    const endpoints = cluster.endpoints.map((endpoint) => endpoint.replace('https', 'http'));
    expect((await failureOf(undefined, { endpoints })).message).toContain('If it uses TLS, write https.');
  });

  it('takes a password, and says what to do if a certificate has a name beside it', async () => {
    const credentials = { username: 'app', password: 'correct horse' };
    const root = { ca: authority.cert, cert: nameless.cert, key: nameless.key };
    const [endpoint = ''] = cluster.endpoints;
    await enableAuthentication(endpoint, { ...credentials, keys: ['a', 'z'] }, (path, body) =>
      post(endpoint + path, root, body),
    );
    const store = etcdStore({ endpoints: cluster.endpoints, key: 'key', tls: root, ...credentials });
    expect(await store.read(unlimited)).toBeUndefined();
    const { cert, key } = client;
    await expectFinal(failureOf({ ca: authority.cert, cert, key }, credentials), 'without a CommonName');
  });
});

async function post(url: string, tls: EtcdTlsOptions, body: object): Promise<string> {
  const sent = request(url, { ...tls, method: 'POST', agent: false });
  sent.end(JSON.stringify(body));
  const [response] = await once(sent, 'response');
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += part;
  return text;
}
