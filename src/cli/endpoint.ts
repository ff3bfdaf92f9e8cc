import { tcp, type Transport } from '../index.ts';
import { UsageError } from './command.ts';

/** The transport of an endpoint: a name, a path (with a slash), `unix://path`, `tcp://host:port` or `etcd://host:port/key`. */
export async function transportOf(endpoint: string | undefined): Promise<Transport> {
  if (endpoint === undefined) throw new UsageError('ENDPOINT is missing.');
  if (endpoint === '') throw new UsageError('ENDPOINT is empty.');
  if (endpoint.startsWith('-'))
    throw new UsageError(`ENDPOINT "${endpoint}" begins with a dash: choose another name, or write ./ before a path.`);
  const [, bracketed, host = bracketed, port] = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/]+)):(\d+)$/i.exec(endpoint) ?? [];
  if (host !== undefined) return tcp({ address: host, port: portOf(endpoint, Number(port)) });
  if (HOST_AND_PORT.test(endpoint))
    throw new UsageError(`ENDPOINT "${endpoint}" is a host and a port: write tcp://${endpoint}, or ./ before a path.`);
  const [, members, key] = /^etcd:\/\/([^/]+:\d+)\/(.+)$/is.exec(endpoint) ?? [];
  // Each is loaded only if it is used.
  if (members !== undefined && key !== undefined) {
    const { etcd } = await import('../transports/etcd.ts');
    return etcd({ endpoints: members.split(',').map((member) => `http://${member}`), key });
  }
  const path = pathOf(endpoint);
  const { pipe } = await import('../transports/pipe.ts');
  return path === undefined ? pipe({ name: endpoint }) : pipe({ path });
}

/** Not any name with a number: "job:1" is the name of an endpoint. */
const HOST_AND_PORT = /^(?:localhost|\d+(?:\.\d+){3}|\[[\da-f:]+\]):\d+$/i;

/** With port 0, which the library takes, the system would choose another port each time. */
function portOf(endpoint: string, port: number): number {
  if (port >= 1 && port <= 65_535) return port;
  throw new UsageError(`ENDPOINT "${endpoint}": expected a port from 1 to 65535.`);
}

/** `undefined` for a name. */
function pathOf(endpoint: string): string | undefined {
  if (endpoint.startsWith(NAMED_PIPE)) return endpoint;
  const [, scheme, path] = /^([a-z]+):(?:\/\/)?(.*)$/is.exec(endpoint) ?? [];
  const isScheme = scheme !== undefined && (SCHEMES.has(scheme.toLowerCase()) || endpoint.startsWith(`${scheme}://`));
  if (isScheme && (scheme.toLowerCase() !== 'unix' || !path)) throw unknownEndpoint(endpoint);
  if (!isScheme && !endpoint.includes('/')) return undefined;
  if (endpoint.endsWith('/'))
    throw new UsageError(
      `ENDPOINT "${endpoint}" is a directory: give the path of a socket in it, without a slash at the end.`,
    );
  try {
    return process.getBuiltinModule('node:path').resolve(isScheme ? String(path) : endpoint);
  } catch (cause) {
    throw new UsageError(
      `ENDPOINT "${endpoint}" is relative, but the working directory was deleted: change to another one, or give a path from the root.`,
      { cause },
    );
  }
}

/** The prefix of named pipes on Windows. */
const NAMED_PIPE = '\\\\.\\pipe\\';
/** A name with such a prefix is a mistake. */
const SCHEMES: ReadonlySet<string> = new Set(['tcp', 'unix', 'etcd']);

function unknownEndpoint(endpoint: string): UsageError {
  return new UsageError(
    `ENDPOINT "${endpoint}" is not known: give a name, a path with a slash, tcp://HOST:PORT or etcd://HOST:PORT/KEY.`,
  );
}
