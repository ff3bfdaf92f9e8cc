import { isIP, type Server, type Socket } from 'node:net';
import { invalidOptionError } from '../interface/errors.ts';
import { checkOptionNames, type OptionNames } from '../interface/option-names.ts';
import { resetConnection, type Transport } from '../interface/transport.ts';
import {
  connect,
  endpointUnavailableError,
  listen,
  type ServerNaming,
  sockets,
  type SocketTransport,
  type Target,
} from './net.ts';

/** The address and port of a TCP endpoint. */
export interface TcpOptions {
  /**
   * The address to bind: one of this machine. Prefer an IP address to a name: `localhost` may be two endpoints, `127.0.0.1`
   * and `::1`.
   * @default '127.0.0.1'
   */
  readonly address?: string | undefined;
  /**
   * 0 to 65535. Choose one from 10000 to 32767: systems use higher ones for outgoing connections. With 0 the system chooses
   * a free port, so that two launches never meet.
   * @default 1337
   */
  readonly port?: number | undefined;
}

/**
 * A TCP port. There is one host for each address and port of a machine, shared by all users, and by all containers that
 * share the network.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function tcp(options: TcpOptions = {}): Transport {
  checkOptionNames(options, OPTION_NAMES);
  const { address = '127.0.0.1', port = 1337 } = options;
  checkAddress('address', address);
  checkPort('port', port);
  const endpoint = endpointAt(address, port);
  const bound = { host: address, port };
  // Without autoSelectFamily, only the address that listen binds is tried: another program may use a second one.
  const target: Target = Object.freeze({
    host: connectAddress(address),
    port,
    autoSelectFamily: false,
    allowHalfOpen: true,
    noDelay: true,
  });
  const transport: SocketTransport = {
    endpoint,
    // On Windows a connect to a free port takes two seconds.
    connectFirst: port > 0 && LOOPBACK.test(address) && process.platform !== 'win32',
    advice: 'Another socket may be using the port: choose one from 10000 to 32767.',
    [sockets]: { address: bound, toConnection: (socket) => socket },
    listen(onConnection, listenOptions) {
      const naming: ServerNaming = {
        endpointOf: (server) => endpointAt(address, portOf(server) ?? port),
        unavailableError: (cause) => endpointUnavailableError(endpoint, cause, REASONS),
      };
      return listen(bound, naming, onConnection, listenOptions);
    },
    connect(connectOptions) {
      const connected = connect(endpoint, target, connectOptions);
      return isLent(port) ? connected.then((socket) => refuseItself(socket, port)) : connected;
    },
  };
  return transport;
}

const OPTION_NAMES: OptionNames<TcpOptions> = { address: true, port: true };

/** An address that is certainly one of this machine. A name may be that of another one. */
const LOOPBACK = /^(127(\.\d{1,3}){3}|::1)$/;

/** @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function checkAddress(name: string, address: unknown): asserts address is string {
  if (typeof address !== 'string' || !(isIP(address) || HOST_NAME.test(address))) {
    throw invalidOptionError(name, 'an IP address or a host name', address);
  }
}

/** @throws SingletonError `ERR_SINGLETON_INVALID_OPTION` */
export function checkPort(name: string, port: unknown): asserts port is number {
  if (!Number.isInteger(port) || Number(port) < 0 || Number(port) > MAX_PORT) {
    throw invalidOptionError(name, `an integer from 0 to ${MAX_PORT}`, port);
  }
}

const MAX_PORT = 65_535;

const HOST_NAME = /^[a-z\d]([a-z\d.-]*[a-z\d])?$/i;

function portOf(server: Server): number | undefined {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : undefined;
}

export function endpointAt(address: string, port: number): string {
  // Not isIPv6(): it compiles a large regular expression, which would slow down every launch.
  return `tcp://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/**
 * `undefined` if both ends are the same, because the system lent the free port to this very connection. There is no host then. The
 * remote address is read only if the ports are the same: `isPeerGone` works only if nothing has read it.
 */
function refuseItself(socket: Socket | undefined, port: number): Socket | undefined {
  const isToItself = !socket?.destroyed && socket?.localPort === port && socket.localAddress === socket.remoteAddress;
  if (!isToItself) return socket;
  resetConnection(socket);
  return undefined;
}

/** The first and the last port that the system lends to outgoing connections. */
let lentPorts: readonly [first: number, last: number] | undefined;

/** Whether the system may lend the port. To ask a connection for its own port costs more of a delivery than to read this once. */
function isLent(port: number): boolean {
  lentPorts ??= readLentPorts();
  return !(port < lentPorts[0] || port > lentPorts[1]);
}

/** On other systems than Linux, all. */
function readLentPorts(): readonly [first: number, last: number] {
  try {
    const range = process.getBuiltinModule('node:fs').readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    const [first = 0, last = MAX_PORT] = range.split('\t').map(Number);
    return [first, last];
  } catch {
    return [0, MAX_PORT];
  }
}

/** A wildcard address can be bound, but some systems cannot connect to it. */
function connectAddress(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  return address === '::' ? '::1' : address;
}

const REASONS = {
  EACCES: 'the system does not allow this port (privileged, or in a range that Windows reserves). Choose another port',
  EADDRNOTAVAIL: 'this machine has no such address. Use one of its own addresses',
  ENOTFOUND: 'no such name is known. Use an IP address',
};
