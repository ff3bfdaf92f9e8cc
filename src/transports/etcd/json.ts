/** The value of a property, of a property of that, and so on. `undefined` if there is none. */
export function fieldOf(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((owner, name) => Object(owner)[name], value);
}

/** `undefined` if it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The gateway has keys and values in base64. */
export function toBase64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** The opposite of `toBase64`. The gateway leaves out what is empty. */
export function fromBase64(base64: unknown): string {
  return typeof base64 === 'string' ? Buffer.from(base64, 'base64').toString() : '';
}
