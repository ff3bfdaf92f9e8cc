// What the legacy protocol knows of the structured one, so that two sides with different codecs find out at once.

/** The host hello of version 1 with status 2, another codec. */
export const OTHER_CODEC: Uint8Array = Uint8Array.of(0xf5, 0x53, 0x53, 0x4c, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 0, 0);

/** Whether a peer speaks the structured protocol, by its first byte, which is not UTF-8. */
export function isStructured(bytes: Uint8Array): boolean {
  return bytes[0] === OTHER_CODEC[0];
}
