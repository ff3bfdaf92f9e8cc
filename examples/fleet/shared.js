import { json } from 'socket-singleton/codecs/json';
import { etcd } from 'socket-singleton/transports/etcd';
/** @type {import('socket-singleton').Codec<string, string>} A job, and what became of it. */
const codec = json();
const { ETCD = 'http://10.0.0.1:2379', FLEET_ADDRESS: address, FLEET_SECRET: secret } = process.env;
const transport = etcd({ endpoints: ETCD.split(','), key: 'acme/jobs', ttl: 2000, advertise: { address } });
export const shared = { transport, codec, secret };
