import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { codeOf } from '../../interface/errors.ts';
import { clearTimeout, setTimeout } from '../../interface/timers.ts';

/** `node:http` or `node:https`, with connections that are kept. A kept connection does not keep the process alive. */
export interface Client {
  readonly agent: Agent;
  readonly request: (url: string, options: RequestOptions) => ClientRequest;
}

/** One POST request. */
export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly localAddress: string | undefined;
}

/** Answers have less than 1 KiB, unless another program has written a long value under the key. */
export const MAX_ANSWER_BYTES = 65_536;

/** There was no answer before the signal aborted or the time was up. */
export class NoAnswerError extends Error {}

/**
 * Sends a request and reads the whole answer. `patience`: milliseconds until it gives up. The request must be one that may be
 * executed twice: if a kept connection was closed meanwhile, it is sent again.
 */
export function post(client: Client, sent: Post, patience: number | undefined, isAgain = false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { signal } = sent;
    if (signal.aborted) return reject(new NoAnswerError('no answer in time', { cause: signal.reason }));
    const request = open(client, sent);
    const fail = (error: unknown): void => {
      settle();
      reject(error);
      request.destroy();
    };
    const onTimeout = (): void => fail(new NoAnswerError('no answer in time', { cause: signal.reason }));
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', onTimeout);
    };
    const timer = patience === undefined ? undefined : setTimeout(onTimeout, patience);
    signal.addEventListener('abort', onTimeout, { once: true });
    request.on('error', (error) => {
      // Such as of a request that was ended here.
      if (isSettled) return;
      settle();
      if (isStale(request, error) && !isAgain) resolve(post(client, sent, patience, true));
      else reject(error);
    });
    request.once('response', (response) => {
      const { localAddress } = response.socket;
      const onText = (text: string): void => {
        settle();
        resolve({ status: Number(response.statusCode), text, localAddress });
      };
      readText(response).then(onText, fail);
    });
    request.end(sent.body);
  });
}

function open({ request, agent }: Client, { url, headers, body }: Post): ClientRequest {
  const length = Buffer.byteLength(body);
  return request(url, {
    method: 'POST',
    agent,
    headers: { ...headers, 'Content-Type': 'application/json', 'Content-Length': length },
  });
}

function isStale(request: ClientRequest, error: Error): boolean {
  return request.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(String(codeOf(error)));
}

function readText(response: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    response.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= MAX_ANSWER_BYTES) chunks.push(chunk);
      else reject(new Error(`the answer has more than ${MAX_ANSWER_BYTES} bytes`));
    });
    response.once('end', () => resolve(Buffer.concat(chunks).toString()));
    response.on('error', reject);
    response.once('close', () => reject(new Error('the answer was cut off')));
  });
}

/**
 * Sends a request and calls back with each line of the answer, until it ends, `onLine` returns `false` or the signal aborts. `patience`: milliseconds
 * until the first line. It does not keep the process alive.
 */
export function stream(client: Client, sent: Post, patience: number, onLine: (line: string) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const { signal } = sent;
    if (signal.aborted) return resolve();
    const request = open(client, sent);
    const end = (error?: unknown): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      if (error === undefined) resolve();
      else reject(error);
      request.destroy();
    };
    const onAbort = (): void => end();
    const timer = setTimeout(() => end(new NoAnswerError('no answer in time')), patience).unref();
    signal.addEventListener('abort', onAbort, { once: true });
    request.once('socket', (socket) => socket.unref());
    request.on('error', end);
    request.once('close', () => end());
    request.once('response', (response) => {
      let rest = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        clearTimeout(timer);
        const lines = `${rest}${text}`.split('\n');
        rest = lines.pop() ?? '';
        if (lines.some((line) => !signal.aborted && !onLine(line))) end();
        if (rest.length > MAX_ANSWER_BYTES) end(new Error(`a line has more than ${MAX_ANSWER_BYTES} bytes`));
      });
      response.on('error', end);
      response.once('end', () => end());
    });
    request.end(sent.body);
  });
}
