/** The text, with its byte order mark if it has one; `undefined` if the bytes are not UTF-8. */
export function tryDecode(bytes: Uint8Array): string | undefined {
  try {
    // An import of node:buffer would cost each launch 2 % of its time.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
