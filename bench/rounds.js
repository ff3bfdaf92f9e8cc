/**
 * Something to be measured: one turn returns one number.
 * @typedef {() => number | Promise<number>} Contestant
 *
 * @typedef {object} Budget
 * @property {number} seconds No round begins after them…
 * @property {number} fewest …and so many were run.
 * @property {number} [warmUps] Rounds that are run before and not counted; 0 if each turn starts with a new process. Default: 1.
 */

/**
 * Lets all contestants have a turn in each round: A B C, B C A, …
 * @param {Readonly<Record<string, Contestant>>} contestants
 * @param {Budget} budget
 * @returns {Promise<(name: string) => readonly number[]>} The numbers of one contestant, round by round.
 */
export async function interleave(contestants, { seconds, fewest, warmUps = 1 }) {
  const entries = Object.entries(contestants);
  const results = new Map(entries.map(([name]) => [name, /** @type {number[]} */ ([])]));
  for (let round = 0; round < warmUps; round += 1) for (const [, take] of entries) await take();
  const end = performance.now() + seconds * 1000;
  for (let round = 0; round < fewest || performance.now() < end; round += 1) {
    const first = round % entries.length;
    for (const [name, take] of [...entries.slice(first), ...entries.slice(0, first)]) {
      const result = await take();
      results.get(name)?.push(result);
    }
  }
  return (name) => results.get(name) ?? [];
}
