import {
  AnswerError,
  answerFailure,
  connectionFailure,
  errorMessageOf,
  type Failure,
  isTokenMessage,
  mostTelling,
} from './failures.ts';
import { fieldOf, parseJson } from './json.ts';
import type { ResolvedEtcdOptions } from './options.ts';
import { type Answer, type Client, post, stream } from './request.ts';

/** Milliseconds after which the next endpoint is asked. The last one has as long as the signal allows. */
const PATIENCE = 500;
/** Milliseconds until a watch has begun. Nothing waits for it. */
const STREAM_PATIENCE = 2000;

/**
 * The JSON gateway of a cluster of etcd. Its requests may be executed twice, because a connection may fail before the answer
 * arrives. Its fields are private, so that no inspection of the transport shows a password.
 */
export class Gateway {
  readonly #options: ResolvedEtcdOptions;
  /** In the order in which they are asked. */
  #endpoints: readonly string[];
  /** By the protocol of the URL. */
  readonly #clients = new Map<string, Promise<Client>>();
  #token: string | undefined;
  #localAddress: string | undefined;

  constructor(options: ResolvedEtcdOptions) {
    this.#options = options;
    this.#endpoints = options.endpoints;
  }

  /** Of the connection by which the last answer arrived. */
  get localAddress(): string | undefined {
    return this.#localAddress;
  }

  /** The endpoint that is asked next. */
  get endpoint(): string {
    return this.#endpoints[0] ?? '';
  }

  /**
   * Asks until an endpoint answers. Resolves to the answer, which is JSON.
   * @throws AnswerError
   * @throws SingletonError if another attempt is of no use
   */
  async call(path: string, body: object, signal: AbortSignal): Promise<unknown> {
    const token = await this.#authenticate(signal);
    try {
      return await this.#ask(path, body, signal, token);
    } catch (error) {
      if (token === undefined || !(error instanceof AnswerError) || !error.isExpiredToken) throw error;
      this.#forget(token);
      return this.#ask(path, body, signal, await this.#authenticate(signal));
    }
  }

  /**
   * Asks one endpoint, and calls back with each message of the answer until that ends or the signal aborts. It does not keep the
   * process alive.
   */
  async stream(path: string, body: object, signal: AbortSignal, onMessage: (message: unknown) => void): Promise<void> {
    const token = await this.#authenticate(AbortSignal.any([signal, AbortSignal.timeout(STREAM_PATIENCE)]));
    const { endpoint } = this;
    const headers = { ...authorization(token), 'Grpc-Metadata-hasleader': 'true' };
    const request = { url: `${endpoint}${path}`, headers, body: JSON.stringify(body), signal };
    try {
      await stream(await this.#clientFor(endpoint), request, STREAM_PATIENCE, (line) => {
        const message = parseJson(line);
        const reason = fieldOf(message, 'result', 'cancel_reason') ?? errorMessageOf(message);
        if (token !== undefined && typeof reason === 'string' && isTokenMessage(reason)) this.#forget(token);
        // Then the answer goes on without messages.
        if (fieldOf(message, 'result', 'canceled') === true) return false;
        onMessage(message);
        return true;
      });
    } finally {
      if (!signal.aborted) this.#askLast(endpoint);
    }
  }

  async #authenticate(signal: AbortSignal): Promise<string | undefined> {
    const { credentials } = this.#options;
    if (!credentials || this.#token !== undefined) return this.#token;
    const { username, password } = credentials;
    const answer = await this.#ask('/v3/auth/authenticate', { name: username, password }, signal, undefined);
    const token = fieldOf(answer, 'token');
    if (typeof token !== 'string') throw new Error(`etcd at ${this.endpoint} has answered without a token.`);
    this.#token = token;
    return token;
  }

  #forget(token: string): void {
    if (this.#token === token) this.#token = undefined;
  }

  async #ask(path: string, body: object, signal: AbortSignal, token: string | undefined): Promise<unknown> {
    const failures: Failure[] = [];
    const endpoints = this.#endpoints;
    for (const [index, endpoint] of endpoints.entries()) {
      const request = { url: `${endpoint}${path}`, headers: authorization(token), body: JSON.stringify(body), signal };
      const patience = index < endpoints.length - 1 ? PATIENCE : undefined;
      const result = await post(await this.#clientFor(endpoint), request, patience).then(
        (answer) => this.#read(endpoint, answer),
        (error: unknown) => connectionFailure(endpoint, error),
      );
      if ('body' in result) return result.body;
      failures.push(result);
      if (result.isOfCluster) throw result.error;
      this.#askLast(endpoint);
      if (signal.aborted) break;
    }
    throw mostTelling(failures);
  }

  #read(endpoint: string, answer: Answer): { readonly body: unknown } | Failure {
    const body = parseJson(answer.text);
    const isResult = answer.status === 200 && typeof body === 'object' && errorMessageOf(body) === undefined;
    const { key, credentials } = this.#options;
    const secrets = [this.#token, credentials?.password];
    if (!isResult) return answerFailure(endpoint, answer, { key, username: credentials?.username, secrets });
    this.#localAddress = answer.localAddress;
    this.#endpoints = [endpoint, ...this.#endpoints.filter((other) => other !== endpoint)];
    return { body };
  }

  #askLast(endpoint: string): void {
    this.#endpoints = [...this.#endpoints.filter((other) => other !== endpoint), endpoint];
  }

  #clientFor(endpoint: string): Promise<Client> {
    const protocol = endpoint.startsWith('https:') ? 'https' : 'http';
    const client = this.#clients.get(protocol) ?? this.#load(protocol);
    this.#clients.set(protocol, client);
    return client;
  }

  /** Imported here, because a launch that does not get here does not need it. */
  async #load(protocol: 'http' | 'https'): Promise<Client> {
    if (protocol === 'http') {
      const { Agent, request } = await import('node:http');
      return { agent: new Agent({ keepAlive: true }), request };
    }
    const { Agent, request } = await import('node:https');
    return { agent: new Agent({ ...this.#options.tls, keepAlive: true }), request };
  }
}

function authorization(token: string | undefined): Readonly<Record<string, string>> {
  return token === undefined ? {} : { Authorization: token };
}
