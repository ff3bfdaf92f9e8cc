import { describe, expect, it } from 'vitest';
import { drawFaults } from '../helpers/fleet-faults.ts';
import { faultsOf, type FleetEvent } from '../helpers/fleet-history.ts';

const claim = (at: number, process: string, token: number): FleetEvent => ({ kind: 'claim', at, process, token });
const held = (at: number, process: string, token: number): FleetEvent => ({ kind: 'held', at, process, token });
const run = (at: number, process: string, token: number, launch: string): FleetEvent => {
  return { kind: 'run', at, process, token, launch };
};
const end = (at: number, process: string, token: number, reason: string): FleetEvent => {
  return { kind: 'end', at, process, token, reason };
};
const receipt = (at: number, launch: string, token: number): FleetEvent => ({ kind: 'receipt', at, launch, token });

const sound: readonly FleetEvent[] = [
  claim(1, 'a', 2),
  run(2, 'a', 2, 'one'),
  receipt(3, 'one', 2),
  held(4, 'a', 2),
  receipt(5, 'lost with its host', 2),
  end(6, 'a', 2, 'lost'),
  claim(7, 'b', 5),
  receipt(8, 'killed with its host', 5),
  { kind: 'killed', at: 9, process: 'b' },
  claim(10, 'c', 9),
  { kind: 'failed', at: 11, launch: 'two', code: 'ERR_SINGLETON_CONNECTION_FAILED' },
  { kind: 'calm', at: 12 },
  receipt(13, 'three', 9),
  { kind: 'release', at: 14, process: 'c', token: 9 },
  end(15, 'c', 9, 'manual'),
  claim(16, 'd', 11),
  run(17, 'c', 9, 'three'),
];

describe('faultsOf', () => {
  it('finds none in a sound history, in whatever order its events are', () => {
    expect(faultsOf(sound)).toEqual([]);
    expect(faultsOf(sound.toReversed())).toEqual([]);
  });

  it.each<[string, FleetEvent, string]>([
    ['a token that is not larger', claim(18, 'e', 11), 'e (token 11) has the lease after d (token 11)'],
    ['a run after a claim', run(7.5, 'a', 2, 'four'), 'a (token 2) runs four 1 ms after b (token 5) has the lease'],
    [
      'a belief after a claim',
      held(8, 'a', 2),
      'a (token 2) believes in its lease 1 ms after b (token 5) has the lease',
    ],
    ['a second run', run(18, 'c', 9, 'one'), 'one runs in a (token 2) and in c (token 9)'],
    ['a receipt without a run', receipt(18, 'five', 9), 'five has a receipt of c (token 9), which has not run it'],
    [
      'a receipt without a host',
      receipt(18, 'six', 8),
      'six has a receipt of a host with the token 8, which there is not',
    ],
    [
      'a failure of another kind',
      { kind: 'failed', at: 18, launch: 'seven', code: 'ERR_SINGLETON_FOREIGN_HOST' },
      'seven has failed with ERR_SINGLETON_FOREIGN_HOST',
    ],
  ])('finds %s', (_, event, fault) => {
    expect(faultsOf([...sound, event])).toEqual([fault]);
  });

  it('finds that nothing is served after the last fault', () => {
    const rest = sound.filter(({ at }) => at !== 13);
    expect(faultsOf(rest)).toEqual(['nothing is served after the last fault']);
  });
});

describe('drawFaults', () => {
  it('draws the same faults for the same seed', () => {
    expect(drawFaults(7, 60_000, 1000)).toEqual(drawFaults(7, 60_000, 1000));
    expect(drawFaults(8, 60_000, 1000)).not.toEqual(drawFaults(7, 60_000, 1000));
    const kinds = new Set(drawFaults(7, 600_000, 1000).map(({ kind }) => kind));
    expect([...kinds].toSorted()).toEqual(['cut', 'kill', 'kill etcd', 'release', 'stop', 'stop etcd']);
  });
});
