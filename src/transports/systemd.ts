import { fstatSync, readFileSync, statSync } from 'node:fs';
import { isIP, type Server, type Socket } from 'node:net';
import { invalidOptionError, SingletonError } from '../interface/errors.ts';
import { checkOptionNames, type OptionNames } from '../interface/option-names.ts';
import type { Transport } from '../interface/transport.ts';
import { takeDescriptor } from './listen-fds.ts';
import { endpointUnavailableError, listen, type SocketAddress, sockets, type SocketTransport } from './net.ts';
import { endpointAt } from './tcp.ts';

/** The transport that a socket of systemd takes the place of, and which socket that is. */
export interface SystemdOptions {
  /**
   * A `tcp()` or `pipe()` whose endpoint is the `ListenStream=` of the socket unit. A launch connects by it, and a process
   * that has no socket from systemd binds it.
   */
  readonly transport: Transport;
  /**
   * The `FileDescriptorName=` of the socket unit, if the service has several.
   * @default the first socket
   */
  readonly name?: string | undefined;
}

/**
 * A socket that systemd has handed over (socket activation), or `transport` if it has not. The environment is read when
 * `listen` is called. A process takes a socket once, and its variables are removed when the last one is taken. Since systemd
 * keeps the socket open, `close` frees nothing: later connections wait there, and start the service again.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function systemd(options: SystemdOptions): Transport {
  checkOptionNames(options, OPTION_NAMES);
  const { transport, name } = options;
  if (!isSocketTransport(transport)) throw invalidOptionError('transport', 'tcp() or pipe()', transport);
  if (name !== undefined && !(typeof name === 'string' && NAME.test(name))) {
    throw invalidOptionError('name', 'a name of 1 to 255 ASCII characters without colons and control characters', name);
  }
  const { endpoint } = transport;
  const { address, toConnection } = transport[sockets];
  return {
    endpoint,
    advice: transport.advice,
    async listen(onConnection, listenOptions) {
      const descriptor = take(endpoint, name);
      if (descriptor === undefined) return transport.listen(onConnection, listenOptions);
      const expected = await endpointToBind(endpoint, address);
      const naming = {
        endpointOf: (server: Server) => boundEndpoint(server, descriptor),
        unavailableError: (cause: unknown) => notListeningError(endpoint, descriptor, cause),
      };
      const onSocket = (socket: Socket): void => onConnection(toConnection(socket));
      const listener = await listen(address, naming, onSocket, listenOptions, descriptor);
      if (!listener || isSame(listener.endpoint, expected)) return listener && { ...listener, endpoint };
      await listener.close();
      throw mismatchError(endpoint, listener.endpoint);
    },
    connect: (connectOptions) => transport.connect(connectOptions),
    ...(transport.watch && { watch: transport.watch.bind(transport) }),
  };
}

const OPTION_NAMES: OptionNames<SystemdOptions> = { transport: true, name: true };

/** What systemd allows in `FileDescriptorName=`. */
const NAME = /^[ -9;-~]{1,255}$/;

function isSocketTransport(transport: unknown): transport is SocketTransport {
  return typeof transport === 'object' && transport !== null && sockets in transport;
}

function take(endpoint: string, name: string | undefined): number | undefined {
  try {
    return takeDescriptor(name);
  } catch (cause) {
    throw endpointUnavailableError(endpoint, cause, {});
  }
}

/** The endpoint with the address that its host name has, which is the one that a host without systemd binds. */
async function endpointToBind(endpoint: string, address: SocketAddress): Promise<string> {
  if ('path' in address || isIP(address.host)) return endpoint;
  try {
    const { lookup } = await import('node:dns/promises');
    return endpointAt((await lookup(address.host)).address, address.port);
  } catch (cause) {
    throw endpointUnavailableError(endpoint, cause, {});
  }
}

function boundEndpoint(server: Server, descriptor: number): string {
  const address = server.address();
  return typeof address === 'object' && address
    ? endpointAt(address.address, address.port)
    : `${UNIX}${pathOf(descriptor) ?? ''}`;
}

const UNIX = 'unix://';

/** The path of a Unix socket: Node does not know it. `undefined` if it is in another network namespace (PrivateNetwork=). */
function pathOf(descriptor: number): string | undefined {
  try {
    const row = new RegExp(String.raw`^(?:\S+ +){6}${fstatSync(descriptor).ino} (.+)$`, 'm');
    return row.exec(readFileSync('/proc/net/unix', 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

function isSame(bound: string, expected: string): boolean {
  if (!bound.startsWith(UNIX) || !expected.startsWith(UNIX)) return normalized(bound) === normalized(expected);
  return bound === UNIX || bound === expected || inodeOf(bound) === inodeOf(expected);
}

/** An IPv6 address has several spellings, of which a URL has one. It allows no zone, as in `fe80::1%eth0`. */
function normalized(endpoint: string): string {
  const url = endpoint.replace(/%[^\]]*\]/, ']');
  return URL.canParse(url) ? new URL(url).href : endpoint;
}

/** One file may have several paths, as /run and /var/run. */
function inodeOf(endpoint: string): string {
  try {
    const { dev, ino } = statSync(endpoint.slice(UNIX.length), { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    return endpoint;
  }
}

function notListeningError(endpoint: string, descriptor: number, cause: unknown): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    `Cannot listen on ${endpoint}: descriptor ${descriptor}, which systemd handed over, is no stream socket that listens. ` +
      `Write ${unitLine(endpoint)} and Accept=no into the socket unit.`,
    { cause },
  );
}

function mismatchError(endpoint: string, bound: string): SingletonError {
  const found = bound === UNIX ? 'a Unix socket' : bound;
  return new SingletonError(
    'ERR_SINGLETON_ENDPOINT_UNAVAILABLE',
    `Cannot listen on ${endpoint}: the socket that systemd handed over is ${found}. Write ${unitLine(endpoint)} into the ` +
      'socket unit, or change the option "transport" of systemd().',
  );
}

function unitLine(endpoint: string): string {
  return `ListenStream=${endpoint.replace(/^(tcp|unix):\/\//, '')}`;
}
