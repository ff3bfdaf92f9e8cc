import fc from 'fast-check';

// The legacy codec: lists, secrets, bytes and how they come in.

/** Any Unicode text without NUL. */
export function legacyTexts(): fc.Arbitrary<string> {
  return fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', ''));
}

/** Lists that the legacy codec can encode, empty arguments among them. */
export function legacyLists(): fc.Arbitrary<readonly string[]> {
  return fc.array(fc.oneof({ weight: 4, arbitrary: legacyTexts() }, fc.constant(''))).filter(isOfNoOther);
}

/** Secrets that the legacy codec can encode in front of a list. */
export function legacySecrets(): fc.Arbitrary<string> {
  return legacyTexts().filter((text) => text !== '' && isOfNoOther([text]));
}

/** UTF-8 of lists, as the legacy codec has it: written here again, not by the codec. */
export function legacyBytes(): fc.Arbitrary<Uint8Array> {
  return legacyLists().map((list) => Buffer.from(`${list.join('\0')}\0`));
}

/** Bytes that a stranger may send: noise, what the decoder looks for, valid messages that were changed. */
export function hostileBytes(): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.array(fc.constantFrom(...Buffer.from('\0\n\r GH/.1\u{16}\u{3}', 'latin1'), 0x80, 0xc3, 0xf5)).map(toBytes),
    changed(legacyBytes()),
    changed(fc.tuple(startsOfOthers(), legacyBytes()).map((parts) => Buffer.concat(parts))),
  );
}

/** Bytes, and the same in chunks of any size, empty ones too. */
export function chunked(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<readonly [Uint8Array, readonly Uint8Array[]]> {
  return fc.tuple(bytes, fc.array(fc.nat(16))).map(([whole, sizes]) => [whole, split(whole, sizes)]);
}

/** Values of maxMessageBytes, from what nothing fits in to what everything does. */
export function byteLimits(): fc.Arbitrary<number> {
  return fc.oneof(fc.integer({ min: 1, max: 64 }), fc.constant(1_048_576));
}

// Hosts and launches.

/** `maxClients` and `releaseThreshold`, small enough to be reached, 0 among them. */
export function thresholds(): fc.Arbitrary<{ readonly maxClients: number; readonly releaseThreshold: number }> {
  const threshold = fc.integer({ min: 0, max: 6 });
  return fc.record({ maxClients: threshold, releaseThreshold: threshold });
}

/** Arguments of one launch behind a secret, often none. */
export function launchLists(): fc.Arbitrary<readonly string[]> {
  return fc.array(legacyTexts(), { maxLength: 3 });
}

/** No launch, whatever it starts like, since its last byte is no NUL. */
export function brokenStreams(): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(
      fc.oneof(fc.constant(new Uint8Array()), legacyBytes(), startsOfOthers()),
      fc.uint8Array({ maxLength: 3000, size: 'max' }),
      fc.integer({ min: 1, max: 255 }),
    )
    .map(([start, noise, last]) => Buffer.concat([start, noise, Buffer.of(last)]));
}

function startsOfOthers(): fc.Arbitrary<Uint8Array> {
  return fc
    .constantFrom('GET / HTTP/1.1\r\n', 'PRI * HTTP/2.0\n', 'SSH-2.0-x\r\n', '\u{16}\u{3}\u{1}\0', '\u{f5}SSL\r\n')
    .map((text) => Buffer.from(text, 'latin1'));
}

/** The same bytes, with some left out or put in. */
function changed(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({ at: fc.nat(64), remove: fc.nat(2), insert: fc.uint8Array({ maxLength: 2 }) });
  return fc
    .tuple(bytes, fc.array(edit, { maxLength: 3 }))
    .map(([original, edits]) =>
      edits.reduce(
        (given, { at, remove, insert }) =>
          Buffer.concat([given.subarray(0, at), insert, given.subarray(Math.min(at, given.length) + remove)]),
        original,
      ),
    );
}

function split(bytes: Uint8Array, sizes: readonly number[]): readonly Uint8Array[] {
  let at = 0;
  const chunks = sizes.map((size) => bytes.subarray(at, (at += size)));
  return [...chunks, bytes.subarray(at)];
}

/** Leaves out more than the codec refuses, so that it can be read at a glance. */
function isOfNoOther([first = '']: readonly string[]): boolean {
  return !first.startsWith('\u{16}') && !first.startsWith('SSH-') && !first.includes('HTTP/');
}

function toBytes(values: readonly number[]): Uint8Array {
  return Uint8Array.from(values);
}
