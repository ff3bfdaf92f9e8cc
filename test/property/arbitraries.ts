import fc from 'fast-check';
import type { Field } from '../../src/protocol/fields.ts';
import type { Frame } from '../../src/protocol/messages.ts';

// The legacy codec: lists, secrets, bytes and their chunks.

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

/** Texts that look like the start of another protocol, or nearly so. */
export function foreignTexts(): fc.Arbitrary<string> {
  const parts = [
    'GET',
    'patch',
    'M-X1',
    ' ',
    '/',
    ' HTTP/',
    '1',
    '.',
    '\r',
    '\n',
    'SSH-',
    '2',
    '-',
    '\u{16}',
    '\u{3}',
    'õ',
  ];
  return fc.array(fc.constantFrom(...parts), { maxLength: 10 }).map((list) => list.join(''));
}

/** UTF-8 of lists, as the legacy codec has it: written here again, not by the codec. */
export function legacyBytes(): fc.Arbitrary<Uint8Array> {
  return legacyLists().map((list) => Buffer.from(`${list.join('\0')}\0`));
}

/** Bytes that a hostile client may send: noise, bytes with a meaning for the decoder, valid messages that were changed. */
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

/** Arguments of one launch after a secret, often none. */
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

/** The same bytes, with some removed or inserted. */
function changed(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({ at: fc.nat(64), remove: fc.nat(2), insert: fc.uint8Array({ maxLength: 2 }) });
  return fc
    .tuple(bytes, fc.array(edit, { maxLength: 3 }))
    .map(([original, edits]) =>
      edits.reduce(
        (result, { at, remove, insert }) =>
          Buffer.concat([result.subarray(0, at), insert, result.subarray(Math.min(at, result.length) + remove)]),
        original,
      ),
    );
}

function split(bytes: Uint8Array, sizes: readonly number[]): readonly Uint8Array[] {
  let at = 0;
  const chunks = sizes.map((size) => bytes.subarray(at, (at += size)));
  return [...chunks, bytes.subarray(at)];
}

/** Excludes more than the codec refuses, so that it stays simple. */
function isOfNoOther([first = '']: readonly string[]): boolean {
  return !first.startsWith('\u{16}') && !first.startsWith('SSH-') && !first.includes('HTTP/');
}

function toBytes(values: readonly number[]): Uint8Array {
  return Uint8Array.from(values);
}

/** One event among several programs at one endpoint. An index chooses among what there is then, if there is anything. */
export type Action =
  | { readonly do: 'send'; readonly wait: boolean }
  | { readonly do: 'acquire'; readonly wait: boolean; readonly self: boolean }
  | { readonly do: 'standby' }
  | { readonly do: 'release'; readonly isHost: boolean; readonly program: number; readonly drain: boolean | number }
  | { readonly do: 'abort'; readonly launch: number }
  | { readonly do: 'crash' }
  | { readonly do: 'cut'; readonly afterBytes: number }
  | { readonly do: 'finish'; readonly work: number; readonly fails: boolean }
  /** While time passes, other steps are done too (`pass`), or none (`stall`). */
  | { readonly do: 'pass' | 'stall'; readonly ms: number };

/** Actions of programs, most of them launches. */
export function successions(): fc.Arbitrary<Action[]> {
  const index = fc.nat(9);
  const drain = fc.constantFrom(false, true, 500, 3000);
  const ms = fc.constantFrom(10, 600, 1100, 3100);
  const action = fc.oneof<fc.MaybeWeightedArbitrary<Action>[]>(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('send'), wait: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('acquire'), wait: fc.boolean(), self: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('standby') }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('release'), isHost: fc.boolean(), program: index, drain }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('abort'), launch: index }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('crash') }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('cut'), afterBytes: fc.nat(150) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('finish'), work: index, fails: fc.boolean() }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('pass', 'stall'), ms }) },
  );
  return fc.array(action, { maxLength: 25, size: 'max' });
}

/** What holds for all programs of a run. */
export interface Rules {
  /** Of the handler; 0: `args` listeners instead of a handler. */
  readonly concurrency: number;
  readonly idleTimeout: number;
  readonly maxPending: number;
  /** Turns of the event loop after each step. */
  readonly turns: number;
  /** What `Math.random` returns, in turns: it decides when the next attempt is made. Near 0 there would be very many. */
  readonly jitter: readonly number[];
}

export function successionRules(): fc.Arbitrary<Rules> {
  return fc.record({
    concurrency: fc.constantFrom(0, 1, 2, Infinity),
    idleTimeout: fc.constantFrom(0, 0, 1500),
    maxPending: fc.constantFrom(1024, 1024, 1),
    turns: fc.constantFrom(1, 1, 2, IDLE_TURNS),
    jitter: fc.array(fc.double({ min: 0.2, max: 0.99, noNaN: true }), { minLength: 1, maxLength: 4 }),
  });
}

/** Turns of the event loop after which nothing happens by itself. A legacy launch waits for 12. */
export const IDLE_TURNS = 16;

// The structured codecs: values, and MessagePack of them and of values that nearly are.

/** What JSON can carry: any texts, keys too, but for "__proto__". */
export function jsonValues(): fc.Arbitrary<unknown> {
  return valuesOf(
    fc.constantFrom(null, true, false),
    anyNumbers().filter(Number.isFinite),
    fc.string({ unit: 'binary' }),
  );
}

/** What MessagePack can carry besides: binaries, bigints of 64 bits, numbers that are not finite. */
export function msgpackValues(): fc.Arbitrary<unknown> {
  return valuesOf(
    fc.constantFrom(null, true, false),
    anyNumbers(),
    fc.string({ unit: 'binary' }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.uint8Array({ maxLength: 40 }),
  );
}

/** What a program may try to send: mostly serializable values, and others anywhere in them. */
export function anyValues(): fc.Arbitrary<unknown> {
  const lone = fc.constantFrom('\ud800', 'a\udc00', `${'x'.repeat(70)}\ud800`);
  const other = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withSparseArray: true,
    withTypedArray: true,
    withUnicodeString: true,
  });
  const properties = fc.constantFrom<readonly [PropertyKey, PropertyDescriptor]>(
    ['a', { value: 1 }],
    ['__proto__', { value: 1, enumerable: true }],
    ['toJSON', { value: () => 1 }],
    ['toJSON', { value: 1, enumerable: true }],
    [Symbol('a'), { value: 1, enumerable: true }],
    ['more', { value: undefined, enumerable: true }],
    ['0', { value: 1, enumerable: true }],
  );
  const edited = fc
    .tuple(fc.oneof(fc.array(fc.integer(), { maxLength: 2 }), fc.dictionary(fc.string(), fc.integer())), properties)
    .map(([value, [key, descriptor]]) => Object.defineProperty(value, key, descriptor));
  return fc.oneof(other, valuesOf(fc.nat(), lone, fc.bigInt(), edited), valuesOf(fc.nat(), other), msgpackValues());
}

/** MessagePack that a hostile client may send: written here, with lengths of any size and types that are refused. */
export function msgpackBytes(): fc.Arbitrary<Uint8Array> {
  return fc.oneof({ weight: 3, arbitrary: msgpackItems() }, changed(msgpackItems()), fc.uint8Array({ maxLength: 64 }));
}

/** JSON that a hostile client may send: valid, changed, and noise of the characters of JSON. */
export function jsonBytes(): fc.Arbitrary<Uint8Array> {
  const texts = jsonValues().map((value) => Buffer.from(JSON.stringify(value)));
  const parts = fc.constantFrom(...'{}[],:"\\1 '.split(''), '\\u005f', '__proto__', '"__proto__":');
  return fc.oneof(
    texts,
    changed(texts),
    fc.array(parts, { size: 'medium' }).map((list) => Buffer.from(list.join(''))),
    fc.uint8Array({ maxLength: 64 }),
  );
}

/** But for -0, which arrives as 0. */
function anyNumbers(): fc.Arbitrary<number> {
  return fc.oneof(fc.integer(), fc.double(), fc.maxSafeInteger()).map((number) => (number === 0 ? 0 : number));
}

function valuesOf(...leaves: readonly fc.Arbitrary<unknown>[]): fc.Arbitrary<unknown> {
  const names = fc.constantFrom('constructor', 'hasOwnProperty', 'toString', 'length', '__proto_', 'then', '');
  const keys = fc.oneof(names, fc.string({ unit: 'binary' })).filter((key) => key !== '__proto__');
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 6, depthIdentifier: 'value', withCrossShrink: true },
      ...leaves,
      fc.array(tie('value'), { maxLength: 5, depthIdentifier: 'value' }),
      fc.array(fc.tuple(keys, tie('value')), { maxLength: 5, depthIdentifier: 'value' }).map(Object.fromEntries),
    ),
  }));
  return value;
}

/** One item of MessagePack, whatever it holds; a few of them are refused. */
function msgpackItems(): fc.Arbitrary<Uint8Array> {
  const numbers = fc
    .constantFrom<readonly [number, number]>(
      [0xca, 4],
      [0xcb, 8],
      [0xcc, 1],
      [0xcd, 2],
      [0xce, 4],
      [0xcf, 8],
      [0xd0, 1],
      [0xd1, 2],
      [0xd2, 4],
      [0xd3, 8],
    )
    .chain(numbersOf);
  const refused = fc.constantFrom('c1', 'd46900', 'c70069', 'd6ff00000000').map((hex) => Buffer.from(hex, 'hex'));
  const text = fc
    .tuple(
      fc.oneof(
        fc.constantFrom('__proto__', '__proto_', 'a', 'constructor'),
        fc.string({ unit: 'grapheme', maxLength: 20 }),
      ),
      fc.nat(3),
    )
    .map(([body, width]) => withHead(Buffer.from(body), Buffer.byteLength(body), [0xa0, 0xd9, 0xda, 0xdb], width, 31));
  const binary = fc
    .tuple(fc.uint8Array({ maxLength: 20 }), fc.integer({ min: 1, max: 3 }))
    .map(([body, width]) => withHead(body, body.length, [0xc4, 0xc4, 0xc5, 0xc6], width, 0));
  const small = fc.constantFrom(0xc0, 0xc2, 0xc3, 0x00, 0x7f, 0xe0, 0xff).map((byte) => Buffer.of(byte));
  const { item } = fc.letrec<{ readonly item: Uint8Array }>((tie) => ({
    item: fc.oneof(
      { maxDepth: 5, depthIdentifier: 'item' },
      small,
      numbers,
      text,
      binary,
      { weight: 3, arbitrary: lists(tie('item')) },
      { weight: 3, arbitrary: maps(text, tie('item')) },
      refused,
    ),
  }));
  return item;
}

/** A number of this type, and so many bytes. */
function numbersOf([type, size]: readonly [number, number]): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: size, maxLength: size }).map((body) => Buffer.concat([Buffer.of(type), body]));
}

function lists(item: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.array(item, { maxLength: 4, depthIdentifier: 'item' }), fc.constantFrom(0, 2, 3))
    .map(([items, width]) => withHead(Buffer.concat(items), items.length, [0x90, 0x90, 0xdc, 0xdd], width, 15));
}

function maps(key: fc.Arbitrary<Uint8Array>, item: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const keys = fc.oneof({ weight: 20, arbitrary: key }, item);
  return fc
    .tuple(fc.array(fc.tuple(keys, item), { maxLength: 4, depthIdentifier: 'item' }), fc.constantFrom(0, 2, 3))
    .map(([items, width]) => withHead(Buffer.concat(items.flat()), items.length, [0x80, 0x80, 0xde, 0xdf], width, 15));
}

/** A length in the type itself (width 0, up to `most`), or in 1, 2 or 4 bytes after it. */
function withHead(
  body: Uint8Array,
  length: number,
  types: readonly [number, number, number, number],
  width: number,
  most: number,
): Uint8Array {
  const [fixed, ...wide] = types;
  if (width === 0 && length <= most) return Buffer.concat([Buffer.of(fixed + length), body]);
  const at = Math.max(width, 1);
  const size = 2 ** (at - 1);
  const head = Buffer.alloc(1 + size);
  head.writeUInt8(wide[at - 1] ?? fixed, 0);
  head.writeUIntBE(length, 1, size);
  return Buffer.concat([head, body]);
}

// Frames and secure streams.

/** Frames of any kind that a reader must know, with bodies that often look like a length. */
export function frameLists(): fc.Arbitrary<readonly Frame[]> {
  const body = fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.array(fc.constantFrom(0, 1, 255)).map(toBytes));
  return fc.array(fc.record({ kind: fc.integer({ min: 0, max: 127 }), body }), { maxLength: 6 });
}

/** Frames as bytes: written here again, not by the codec. */
export function frameBytes(): fc.Arbitrary<Uint8Array> {
  return frameLists().map((list) => Buffer.concat(list.map(frameOf)));
}

function frameOf({ kind, body }: Frame): Uint8Array {
  return Buffer.concat([Buffer.of(0, 0, 0, 1 + body.length, kind), body]);
}

/** Bytes instead of frames: noise, small numbers, frames that were changed. */
export function hostileFrames(): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.array(fc.constantFrom(0, 0, 0, 1, 2, 5, 255)).map(toBytes),
    changed(frameBytes()),
  );
}

/** Frames of a later version, which a reader skips. */
export function skippableFrames(): fc.Arbitrary<Frame> {
  return fc.record({ kind: fc.integer({ min: 128, max: 255 }), body: fc.uint8Array({ maxLength: 80 }) });
}

/** Fields with keys that a reader knows, and others. */
export function fieldLists(): fc.Arbitrary<readonly Field[]> {
  const key = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.nat(255));
  return fc.array(fc.record({ key, value: fc.uint8Array({ maxLength: 300, size: 'max' }) }), { maxLength: 5 });
}

/** Bytes instead of fields: noise, small numbers, fields that were changed; and fields. */
export function hostileFields(): fc.Arbitrary<Uint8Array> {
  const fields = fieldLists().map((list) => Buffer.concat(list.map(fieldOf)));
  return fc.oneof(
    fields,
    changed(fields),
    fc.uint8Array({ maxLength: 64 }),
    fc.array(fc.constantFrom(0, 0, 1, 2, 3, 4, 5)).map(toBytes),
  );
}

/** Written here again, not by the codec. */
function fieldOf({ key, value }: Field): Uint8Array {
  return Buffer.concat([Buffer.of(key, value.length >> 8, value.length & 255), value]);
}

/** The texts that are written to a secure stream. */
export function plaintexts(): fc.Arbitrary<readonly Uint8Array[]> {
  return fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 5 });
}

/** Sizes of the chunks in which the bytes of a secure stream arrive. */
export function chunkSizes(): fc.Arbitrary<readonly number[]> {
  return fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 40 });
}

/** A number from 0 to below 1: a position in bytes whose length is not known yet. */
export function shares(): fc.Arbitrary<number> {
  return fc.nat(2 ** 24 - 1).map((value) => value / 2 ** 24);
}

/** A secret, and the bytes that a client sends before the handshake. */
export function handshakes(): fc.Arbitrary<{ readonly secret: Uint8Array; readonly prologue: Uint8Array }> {
  return fc.record({
    secret: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    prologue: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  });
}

// Answers.

/** A step of a listener with its client. */
export type Step =
  | { readonly kind: 'stdout' | 'stderr'; readonly bytes: Uint8Array }
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'reply'; readonly value: unknown }
  | { readonly kind: 'turn' };

/** Mostly output, in pieces of a byte up to more than one frame; now and then a result, or two. */
export function sessionSteps(): fc.Arbitrary<readonly Step[]> {
  return fc.array(
    fc.oneof(
      { weight: 8, arbitrary: fc.record({ kind: fc.constantFrom('stdout', 'stderr'), bytes: pieces(70_000) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('turn') }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('exit'), code: fc.integer({ min: 0, max: 255 }) }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('reply'), value: fc.array(fc.string({ unit: 'binary-ascii' })) }),
      },
    ),
    { maxLength: 20 },
  );
}

/** The chunks of a stdin. */
export function inputChunks(): fc.Arbitrary<readonly Uint8Array[]> {
  return fc.array(pieces(100_000), { maxLength: 8 });
}

/** The credit that a host grants, step by step. */
export function inputCredits(): fc.Arbitrary<readonly number[]> {
  const credit = fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 150_000 }));
  return fc.array(credit, { maxLength: 8 });
}

/** Bytes that differ, mostly a few and sometimes as many as `most`. */
function pieces(most: number): fc.Arbitrary<Uint8Array> {
  const length = fc.oneof({ weight: 4, arbitrary: fc.nat(64) }, { weight: 1, arbitrary: fc.nat(most) });
  return fc.tuple(length, fc.nat(255)).map(([size, first]) => Uint8Array.from({ length: size }, (_, at) => first + at));
}

/** Keys of HMAC that this package has: 32 bytes at most. */
export function hmacKeys(): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ maxLength: 32, size: 'max' });
}

/** What is hashed, in one block or in several. */
export function messages(): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ maxLength: 300, size: 'max' });
}

// Lists of what comes and goes.

/** Adds the next number, or removes one; perhaps one that was removed before, or is none. */
export type ListStep = 'add' | number;

export function listSteps(): fc.Arbitrary<readonly ListStep[]> {
  return fc.array(fc.oneof(fc.constant<'add'>('add'), fc.nat({ max: 20 })), { size: 'medium' });
}
