import { isIP, type Server, type Socket } from 'node:net';
import { invalidOptionError } from '../interface/errors.ts';
import { resetConnection, type Transport } from '../interface/transport.ts';
import { connect, listen, type ServerNaming, endpointUnavailableError } from './net.ts';

/** Where a TCP endpoint is. */
export interface TcpOptions {
  /**
   * The address to bind: one of this machine, better a literal than a name (`localhost` may be two endpoints).
   * @default '127.0.0.1'
   */
  readonly address?: string | undefined;
  /**
   * 0 to 65535. Choose one from 10000 to 32767: above it, systems lend ports to outgoing connections.
   * @default 1337
   */
  readonly port?: number | undefined;
}

/**
 * A TCP port: one host for each address of a machine and port, across users and containers that share a network.
 * @throws SingletonError `ERR_SINGLETON_INVALID_OPTION`
 */
export function tcp({ address = '127.0.0.1', port = 1337 }: TcpOptions = {}): Transport {
  if (typeof address !== 'string' || !(isIP(address) || HOST_NAME.test(address))) {
    throw invalidOptionError('address', 'an IP address or a host name', address);
  }
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw invalidOptionError('port', 'an integer from 0 to 65535', port);
  }
  const endpoint = endpointAt(address, port);
  return {
    endpoint,
    listen(onConnection, options) {
      const endpointOf = (server: Server): string => {
        const bound = server.address();
        return typeof bound === 'object' && bound ? endpointAt(address, bound.port) : endpoint;
      };
      const naming: ServerNaming = {
        endpointOf,
        unavailable: (cause) => endpointUnavailableError(endpoint, cause, REASONS),
      };
      const onSocket = (socket: Socket): void => onConnection(Object.assign(socket, { isPeerGone: isPeerGone }));
      return listen({ host: address, port }, naming, onSocket, options);
    },
    async connect(options) {
      // One address, the one that listen takes: a name's second address may be another program's.
      const socket = await connect({ host: reachable(address), port, autoSelectFamily: false }, options);
      if (!socket || socket.destroyed) return socket;
      // A port that is nobody's, in the range of outgoing connections, can connect to itself.
      if (socket.localPort !== port || socket.localAddress !== socket.remoteAddress) return socket;
      resetConnection(socket);
      return undefined;
    },
  };
}

/** A socket whose peer has reset it has no peer's name; Node asks for it once, so nobody may have asked before. */
function isPeerGone(this: Socket): boolean {
  return this.remoteAddress === undefined;
}

const HOST_NAME = /^[a-z\d]([a-z\d.-]*[a-z\d])?$/i;

function endpointAt(address: string, port: number): string {
  // isIPv6 compiles a large regular expression, which every launch would pay.
  return `tcp://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** A wildcard can be bound, but not every system can connect to it. */
function reachable(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  return address === '::' ? '::1' : address;
}

const REASONS = {
  EACCES: 'the system does not allow this port (privileged, or in a range that Windows reserves). Choose another port',
  EADDRNOTAVAIL: 'this machine has no such address. Choose one of its own',
  ENOTFOUND: 'no such name is known. Use an address',
};
