/** What each value counts, however short it is on the wire: an empty one takes some 64 bytes of memory. */
const VALUE_BYTES = 16;

/**
 * The bytes of a value, as far as they bound what waits: its strings and binaries, and something for each value in it, since
 * what a message becomes can be many times its length. Counts no further than `limit`, so that it ends.
 */
export function weightOf(value: unknown, limit: number): number {
  let weight = 0;
  const rest: unknown[] = [value];
  while (rest.length > 0 && weight <= limit) {
    const next = rest.pop();
    weight += VALUE_BYTES;
    if (typeof next === 'string') weight += next.length;
    else if (ArrayBuffer.isView(next)) weight += next.byteLength;
    else if (typeof next === 'object' && next !== null) for (const inner of Object.values(next)) rest.push(inner);
  }
  return weight;
}
