/** One fault of a schedule. */
export interface Fault {
  readonly kind: 'kill' | 'stop' | 'cut' | 'release' | 'stop etcd' | 'kill etcd';
  /** Whether it is of the host at that time, if there is one. */
  readonly isOfHost: boolean;
  /** The program otherwise, modulo how many there are. */
  readonly program: number;
  /** Milliseconds until it is over. */
  readonly lasts: number;
  /** Milliseconds until the next one. */
  readonly pause: number;
}

/** What is drawn from. */
const KINDS: readonly Fault['kind'][] = [
  ...(['kill', 'kill', 'stop', 'stop', 'stop', 'cut', 'cut', 'cut'] as const),
  ...(['release', 'stop etcd', 'kill etcd'] as const),
];

/** Draws faults for about a time. The same seed draws the same ones. */
export function drawFaults(seed: number, milliseconds: number, ttl: number): Fault[] {
  const random = generator(seed);
  const faults: Fault[] = [];
  for (let left = milliseconds; left > 0;) {
    const fault: Fault = {
      kind: KINDS[Math.floor(random() * KINDS.length)] ?? 'kill',
      isOfHost: random() < 0.8,
      program: Math.floor(random() * 1000),
      lasts: Math.round(ttl * (0.3 + 2.4 * random())),
      pause: Math.round(ttl * (0.2 + 0.6 * random())),
    };
    faults.push(fault);
    left -= fault.pause + (isLasting(fault) ? fault.lasts : 0);
  }
  return faults;
}

export function isLasting({ kind }: Fault): boolean {
  return kind !== 'kill' && kind !== 'release';
}

/** Numbers from 0 to below 1: mulberry32. */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
