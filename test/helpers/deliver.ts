import { type Duplex, duplexPair } from 'node:stream';
import type { Codec } from '../../src/interface/codec.ts';
import type { LaunchResult, Protocol, ProtocolOptions } from '../../src/interface/protocol.ts';

/** The arguments that a host with codec `to` reads from a client with codec `from`, or the reason of its refusal. */
export async function deliver<T>(
  args: T,
  from: Codec<T>,
  to: Codec<unknown> = from,
  secret?: Uint8Array,
): Promise<unknown> {
  const options = { secret, name: '', maxMessageBytes: 2 ** 24 };
  const [client, host] = duplexPair();
  const send = from.protocol.outbound({ args }, options);
  const reading = readLaunch(to.protocol, host, options);
  send(client).catch(() => {});
  try {
    const received = await reading;
    return received.verified ? received.launch.args : received.reason;
  } finally {
    client.destroy();
  }
}

/** Reads one launch from a connection, as a host does. */
export async function readLaunch<T>(
  protocol: Protocol<T>,
  connection: Duplex,
  options: ProtocolOptions,
): Promise<LaunchResult<T>> {
  connection.on('error', () => {});
  const receive = await protocol.inbound([{ name: '', protocol }]);
  return new Promise(
    (onLaunch, onError) => void receive(connection, options, { onLaunch, onError, onReplace: refuse, status: refuse }),
  );
}

function refuse(): never {
  throw new Error('Expected a launch, got another request.');
}
