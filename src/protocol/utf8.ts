/** The text, byte order mark included; `undefined` where it is not UTF-8. */
export function tryDecode(bytes: Uint8Array): string | undefined {
  try {
    // Not by node:buffer: to import it takes each launch 2 % of its time, since that reads all that the module can lazily load.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
