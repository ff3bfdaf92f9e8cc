import { singletonPeer } from '../hosts.js';
import { estimate, interleave, median } from '../measure.js';
import { FLAGS } from './memory.js';

const FEWER = 1000;
const MOST = 10_000;
/** Launches on their way at a time. */
const AT_A_TIME = 64;

/**
 * How the time for n of something grows with n: by n to the power of the exponent. 1 is in proportion, 2 is quadratic. It
 * is taken from 1,000 to 10,000, where growth beyond proportion is largest.
 * @param {import('../measure.js').Budget} budget For all of it.
 */
export async function growth({ seconds, fewest }) {
  const rows = [];
  /** @type {number[]} */
  const perSession = [];
  const kinds = {
    listeners,
    'pending launches': pending,
    'open sessions': (/** @type {number} */ count) => sessions(count, perSession),
  };
  for (const [name, take] of Object.entries(kinds)) {
    const contestants = { fewer: () => take(FEWER), most: () => take(MOST) };
    const times = await interleave(contestants, { seconds: seconds / 3, fewest, warmUps: 0 });
    const fewer = times('fewer');
    const exponents = times('most').map(
      (time, round) => Math.log(time / (fewer[round] ?? NaN)) / Math.log(MOST / FEWER),
    );
    const note = `${FEWER}: ${median(fewer).toFixed()} ms, ${MOST}: ${median(times('most')).toFixed()} ms`;
    const what = /** @type {const} */ ({ group: 'growth', name, against: '', unit: '', note });
    rows.push({ ...what, ...estimate(exponents), rounds: exponents.length });
  }
  const name = `per open session, ${MOST.toLocaleString('en')} at once, with json()`;
  const what = /** @type {const} */ ({ group: 'memory', name, against: '', unit: 'KiB' });
  return [...rows, { ...what, ...estimate(perSession), rounds: perSession.length }];
}

/** A hundred launches, one after the other, that are dispatched to `count` listeners each. @param {number} count */
async function listeners(count) {
  return timed({ codec: 'json', listeners: count }, {}, async ({ deliver }) => {
    for (let launch = 0; launch < 100; launch += 1) await deliver();
  });
}

/** `count` launches that are queued, and then dispatched to the first listener. @param {number} count */
async function pending(count) {
  return timed({ codec: 'json', listeners: 0 }, {}, async ({ host, deliver }) => {
    let left = count;
    const one = async () => {
      for (left -= 1; left >= 0; left -= 1) await deliver();
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, one));
    await host.ask('dispatch');
  });
}

/**
 * `count` launches that wait for a result at one time, and then receive it.
 * @param {number} count
 * @param {number[]} perSession The KiB of the host for each of the most.
 */
async function sessions(count, perSession) {
  return timed({ codec: 'json', waits: true }, { wait: true }, async ({ host, deliver }) => {
    const { rss: before } = await host.ask('memory');
    const answers = [];
    for (let open = 0; open < count; open += 1) {
      answers.push(deliver());
      if (open >= AT_A_TIME) await host.message();
    }
    for (let open = 0; open < Math.min(count, AT_A_TIME); open += 1) await host.message();
    const { rss } = await host.ask('memory');
    if (count === MOST) perSession.push((rss - before) / count / 1024);
    await Promise.all([host.ask('reply'), ...answers]);
  });
}

/**
 * Milliseconds that something takes with a new host.
 * @param {import('../programs/host.js').HostConfig} config
 * @param {{ readonly wait?: boolean }} launch
 * @param {(peer: import('../hosts.js').Peer) => Promise<unknown>} act
 */
async function timed(config, launch, act) {
  const peer = await singletonPeer(config, { args: ['hello'], ...launch }, { flags: FLAGS });
  try {
    const began = performance.now();
    await act(peer);
    return performance.now() - began;
  } finally {
    await peer.host.stop();
  }
}
