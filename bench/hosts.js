import { connect } from 'node:net';
import { Singleton, tcp } from '../dist/index.js';
import { codecs, newEndpoint, optionsAt } from './endpoints.js';
import { Host, program } from './processes.js';
import { record, replay } from './recording.js';

/** 32 random bytes. */
export const SECRET = 'oLmlsWQHNCvyhZ6p5bfi0S1OSyBJ9VbnIHn1ROAsoKk';

/**
 * A host in a process of its own, and a function that delivers a launch to it.
 * @typedef {object} Peer
 * @property {Host} host
 * @property {import('./endpoints.js').Endpoint} endpoint
 * @property {() => Promise<unknown>} deliver
 */

/**
 * Ours.
 * @param {import('./programs/host.js').HostConfig} config
 * @param {Pick<import('../dist/index.js').SendOptions<any>, 'args' | 'wait'>} launch
 * @param {{ readonly transport?: import('./endpoints.js').Endpoint['transport'], readonly flags?: readonly string[] }} [how]
 * @returns {Promise<Peer>}
 */
export async function singletonPeer(config, launch, { transport = 'tcp', flags = [] } = {}) {
  const endpoint = await newEndpoint(transport);
  const env = { ...endpoint.env, BENCH_CONFIG: JSON.stringify(config) };
  const host = await Host.start([...flags, program('host.js')], env);
  const options = { ...(await optionsAt(endpoint.where)), ...(await optionsOf(config)), ...launch };
  return { host, endpoint, deliver: () => Singleton.send(options) };
}

/**
 * One that exchanges the same bytes over node:net, turn by turn.
 * @param {Peer} peer
 * @param {import('./programs/host.js').HostConfig} config
 * @param {Pick<import('../dist/index.js').SendOptions<any>, 'args'>} launch
 * @param {{ readonly flags?: readonly string[] } & Partial<Record<'client' | 'host', import('./recording.js').Duties>>} [how]
 * @returns {Promise<Peer>}
 */
export async function rawPeer(peer, config, launch, { flags = [], client = {}, host: duties = {} } = {}) {
  const options = { ...(await optionsOf(config)), ...launch };
  const turns = await record(peer.endpoint.where, (port) => Singleton.send({ ...options, transport: tcp({ port }) }));
  const endpoint = await newEndpoint(peer.endpoint.transport);
  const env = { ...endpoint.env, BENCH_TURNS: JSON.stringify(turns), BENCH_DUTIES: JSON.stringify(duties) };
  const host = await Host.start([...flags, program('replay.js')], env);
  const deliver = () =>
    new Promise((resolve, reject) => {
      const socket = connect({ ...endpoint.where, allowHalfOpen: true, noDelay: true }, () =>
        replay(socket, turns, 'client', client),
      );
      socket.once('error', reject).once('close', resolve);
    });
  return { host, endpoint, deliver };
}

/** @param {import('./programs/host.js').HostConfig} config */
async function optionsOf({ codec, secret }) {
  return { codec: await codecs[codec](), secret, maxMessageBytes: 2 ** 21, deliveryTimeout: 60_000 };
}
