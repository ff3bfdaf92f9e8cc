/**
 * What a comparison found: ours over theirs, with an interval that holds the true value in 19 of 20 runs.
 * @typedef {object} Ratio
 * @property {number} value
 * @property {number} low
 * @property {number} high
 *
 * @typedef {object} Summary
 * @property {number} median
 * @property {number} deviation The median distance from the median.
 */

const RESAMPLES = 2000;

/**
 * The median of what each round found. A round measures both sides, so that other load of the machine affects both; the interval is a bootstrap over the rounds.
 * @param {readonly number[]} ours
 * @param {readonly number[]} theirs
 * @returns {Ratio}
 */
export function ratioOf(ours, theirs) {
  return estimate(ours.map((value, round) => value / (theirs[round] ?? NaN)));
}

/**
 * The median of some values, and how far another run could be off.
 * @param {readonly number[]} values
 * @returns {Ratio}
 */
export function estimate(values) {
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(values.map(() => values[Math.floor(Math.random() * values.length)] ?? NaN)),
  );
  return { value: median(values), low: quantile(medians, 0.025), high: quantile(medians, 0.975) };
}

/**
 * @param {readonly number[]} values
 * @returns {Summary}
 */
export function summarize(values) {
  const middle = median(values);
  return { median: middle, deviation: median(values.map((value) => Math.abs(value - middle))) };
}

/** @param {readonly number[]} values */
export function median(values) {
  return quantile(values, 0.5);
}

/**
 * @param {readonly number[]} values
 * @param {number} share 0.5 is the median.
 */
export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)] ?? NaN, sorted[Math.ceil(at)] ?? NaN];
  return below + (above - below) * (at % 1);
}
