/**
 * How often to measure.
 * @typedef {object} Budget
 * @property {number} seconds No round begins after them…
 * @property {number} fewest …and so many were run.
 * @property {number} [warmUps] Rounds that are run before and not counted; 0 if each turn starts with a new process. Default: 1.
 *
 * @typedef {object} Estimate The median, with an interval that holds the true value in 19 of 20 runs.
 * @property {number} value
 * @property {number} low
 * @property {number} high
 */

const RESAMPLES = 1000;

/**
 * Lets all contestants have a turn in each round: A B C, B C A, C A B, then in reverse. So each comes before and after each other.
 * @template Result
 * @param {Readonly<Record<string, () => Result | Promise<Result>>>} contestants
 * @param {Budget} budget
 * @returns {Promise<(name: string) => readonly Result[]>} The results of one contestant, round by round.
 */
export async function interleave(contestants, { seconds, fewest, warmUps = 1 }) {
  const entries = Object.entries(contestants);
  const results = new Map(entries.map(([name]) => [name, /** @type {Result[]} */ ([])]));
  for (let round = 0; round < warmUps; round += 1) for (const [, take] of entries) await take();
  const end = performance.now() + seconds * 1000;
  for (let round = 0; round < fewest || performance.now() < end; round += 1) {
    const first = round % entries.length;
    const order = [...entries.slice(first), ...entries.slice(0, first)];
    if (Math.floor(round / entries.length) % 2 === 1) order.reverse();
    for (const [name, take] of order) {
      const result = await take();
      results.get(name)?.push(result);
    }
  }
  return (name) => results.get(name) ?? [];
}

/**
 * The median of the rounds' ratios: other load of the machine affects both sides of a round.
 * @param {readonly number[]} ours
 * @param {readonly number[]} theirs
 * @returns {Estimate}
 */
export function ratioOf(ours, theirs) {
  return estimate(ours.map((value, round) => value / (theirs[round] ?? NaN)));
}

/** The interval is a bootstrap over the values. @param {readonly number[]} values @returns {Estimate} */
export function estimate(values) {
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(values.map(() => values[Math.floor(Math.random() * values.length)] ?? NaN)),
  );
  return { value: median(values), low: quantile(medians, 0.025), high: quantile(medians, 0.975) };
}

/** @param {readonly number[]} values */
export function median(values) {
  return quantile(values, 0.5);
}

/** @param {readonly number[]} values @param {number} share 0.5 is the median. */
function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)] ?? NaN, sorted[Math.ceil(at)] ?? NaN];
  return below + (above - below) * (at % 1);
}
