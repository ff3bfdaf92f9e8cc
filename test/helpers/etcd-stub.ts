import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { portOf } from './program.ts';

/** A server in this process that answers as etcd does, or as it should not. */
export interface EtcdStub {
  readonly endpoint: string;
  /** The requests so far, in order. */
  readonly requests: readonly StubRequest[];
}

export interface StubRequest {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly authorization: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** An answer with its status, or a function that does anything else. */
export type StubAnswer = readonly [status: number, body: object | string] | ((response: ServerResponse) => void);

/** Ends with the test. */
export async function startStub(answer: (request: StubRequest) => StubAnswer): Promise<EtcdStub> {
  const requests: StubRequest[] = [];
  const server = createServer((incoming, response) => {
    let text = '';
    incoming.setEncoding('utf8').on('data', (part: string) => (text += part));
    incoming.once('end', () => {
      const { headers } = incoming;
      const request = {
        path: String(incoming.url),
        body: JSON.parse(text),
        authorization: headers.authorization,
        headers,
      };
      requests.push(request);
      const found = answer(request);
      if (typeof found === 'function') return found(response);
      const [status, body] = found;
      response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  server.listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { endpoint: `http://127.0.0.1:${portOf(server)}`, requests };
}

/** The answer to a read: the key is held. */
export function heldAnswer(value: string, createRevision: string, lease = '7'): StubAnswer {
  return [200, { kvs: [{ create_revision: createRevision, value: btoa(value), lease }], count: '1' }];
}

/** An error, as version 1 of the gateway has it. */
export function errorAnswer(status: number, code: number, message: string): StubAnswer {
  return [status, { error: message, message, code }];
}
