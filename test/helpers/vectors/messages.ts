import {
  ARGS,
  clientHello,
  EMPTY,
  field,
  frame,
  HOST_PID,
  hostHello,
  launch,
  type LaunchParts,
  MAGIC,
  receipt,
  type ReceiptParts,
  refusal,
  SINCE,
  statusFrame,
  terminal,
  u16,
  u32,
  u64,
} from './bytes.ts';

/** One message by itself: what its receiver reads, and what it does at a point where the message is allowed. */
export interface MessageVector {
  readonly name: string;
  readonly message: string;
  readonly from: 'client' | 'host';
  readonly hex: string;
  /** `null` if the bytes are malformed. */
  readonly decoded: unknown;
  readonly reaction: string;
  /** Whether a sender that speaks only version 1 writes these bytes for the decoded form. */
  readonly written: boolean;
}

/** Valid for a reader, but a sender that speaks only version 1 does not write them. */
const UNWRITTEN: ReadonlySet<string> = new Set([
  'a client hello with the flag fallback',
  'a client hello with both flags',
  'a host hello of version 2 with status 1',
  'a host hello with an unknown status',
  'a host hello with unknown feature bits',
  'a host hello of version 2 with status 0',
  'a launch with a longer terminal',
  'a launch with a version twice: the last one counts',
  'a launch with unknown fields',
  'a launch with fields that other frames have',
  'a launch that does not wait, with a terminal of 5 bytes',
  'a launch with a terminal of another stream, and another colour depth',
  'a receipt with an unknown field',
  'refusal 3 with an unknown field',
  'a status request with an unknown field',
  'replaced with an unknown field',
  'an empty stdout, which no host sends',
  'a window update of 0',
  'a longer resize',
]);

export function messageVectors(): readonly MessageVector[] {
  return [
    ...clientHellos(),
    ...hostHellos(),
    ...launches(),
    ...receipts(),
    ...refusals(),
    ...statuses(),
    ...replaces(),
    ...sessionFrames(),
    ...skippedFrames(),
  ];
}

function clientHellos(): readonly MessageVector[] {
  return [
    validHello('a client hello', 'status 0', 0),
    validHello('a client hello with the flag fallback', 'status 0', 2),
    validHello('a client hello with the flag secured', 'reads the first handshake message', 1),
    validHello('a client hello with both flags', 'reads the first handshake message', 3),
    validHello('a client hello of msgpack', 'status 0', 0, 'msgpack'),
    validHello('a client hello without an application', 'status 0', 0, 'json', ''),
    validHello('a client hello with names that are not ASCII', 'status 0', 0, 'com.example.größe', 'メモ'),
    validHello('a client hello with the longest names', 'status 0', 0, 'c'.repeat(255), 'a'.repeat(255)),
    badHello('a client hello of version 2, up to the version', Buffer.concat([MAGIC, Buffer.of(2)]), 'status 1'),
    badHello('a client hello of version 0, up to the version', Buffer.concat([MAGIC, Buffer.of(0)]), 'status 1'),
    badHello(
      'a client hello with an unknown flag, up to the flags',
      Buffer.concat([MAGIC, Buffer.of(1, 4)]),
      'status 7',
    ),
    badHello('a client hello with flag bit 7, up to the flags', Buffer.concat([MAGIC, Buffer.of(1, 0x81)]), 'status 7'),
    badHello('a magic whose line ending was converted', Buffer.from('f553534c0a1a0a', 'hex'), 'reset'),
    badHello('a magic with another last byte', Buffer.from('f553534c0d0a1a0b', 'hex'), 'reset'),
  ];
}

function helloOf(flags: number, codec: string, application: string): object {
  return {
    version: 1,
    flags,
    secured: (flags & 1) !== 0,
    fallback: (flags & 2) !== 0,
    codec,
    application,
  };
}

function hostHellos(): readonly MessageVector[] {
  const hello = (
    name: string,
    reaction: string,
    status: number,
    rest: { version?: number; features?: number } = {},
  ): MessageVector =>
    vector(
      name,
      'host hello',
      'host',
      hostHello(status, rest),
      { version: 1, status, reserved: 0, features: 0, ...rest },
      reaction,
    );
  return [
    hello('a host hello with status 0, ok', 'continue', 0),
    hello('a host hello with status 1, unsupported version', 'fail', 1),
    hello('a host hello of version 2 with status 1', 'fail', 1, { version: 2 }),
    hello('a host hello with status 2, unsupported codec', 'fail', 2),
    hello('a host hello with status 3, wrong application', 'fail', 3),
    hello('a host hello with status 4, secret required', 'fail', 4),
    hello('a host hello with status 5, secret not expected', 'fail', 5),
    hello('a host hello with status 6, verification failed', 'fail', 6),
    hello('a host hello with status 7, unsupported flag', 'fail', 7),
    hello('a host hello with an unknown status', 'fail', 99),
    hello('a host hello with unknown feature bits', 'continue', 0, {
      features: 0xff,
    }),
    hello('a host hello of version 2 with status 0', 'fail', 0, { version: 2 }),
    vector(
      'a host hello with a reserved byte other than 0',
      'host hello',
      'host',
      hostHello(0, { reserved: 1 }),
      null,
      'fail: no host',
    ),
    vector(
      'the first 12 bytes of a client hello that is echoed',
      'host hello',
      'host',
      clientHello({}).subarray(0, 12),
      null,
      'fail: no host',
    ),
    vector(
      'a host hello with another magic',
      'host hello',
      'host',
      Buffer.from('f553534c0d0a1a0b01000000', 'hex'),
      null,
      'fail: no host',
    ),
  ];
}

function launches(): readonly MessageVector[] {
  const decodedArgs: unknown = JSON.parse(ARGS);
  const valid = (name: string, parts: LaunchParts, fields: readonly object[] = [], more: object = {}): MessageVector =>
    vector(
      name,
      'launch',
      'client',
      launch(parts),
      { waits: (parts.flags ?? 0) === 1, pid: 4242, cwd: '/home/ada', fields, arguments: decodedArgs, ...more },
      'receipt',
    );
  const colours = terminal(1, 24, 120, 40);
  return [
    valid('a launch', {}),
    valid('a launch that waits', { flags: 1 }),
    valid('a launch without process id and working directory', { pid: 0, cwd: '' }, [], { pid: null, cwd: null }),
    valid('a launch whose working directory is not ASCII', { cwd: '/home/ada/größe' }, [], { cwd: '/home/ada/größe' }),
    valid('a launch with a version', { fields: [field(2, '1.4.0')] }, [{ key: 2, name: 'version', text: '1.4.0' }]),
    valid('a launch with two environment variables', { fields: [field(4, 'EDITOR=vi'), field(4, 'EMPTY=')] }, [
      { key: 4, name: 'env', variable: 'EDITOR', value: 'vi' },
      { key: 4, name: 'env', variable: 'EMPTY', value: '' },
    ]),
    valid('a launch with a variable that has "=" in its value', { fields: [field(4, 'A=b=c')] }, [
      { key: 4, name: 'env', variable: 'A', value: 'b=c' },
    ]),
    valid('a launch with two terminals', { flags: 1, fields: [field(3, colours), field(3, terminal(2, 1, 80, 24))] }, [
      { key: 3, name: 'terminal', stream: 1, depth: 24, columns: 120, rows: 40 },
      { key: 3, name: 'terminal', stream: 2, depth: 1, columns: 80, rows: 24 },
    ]),
    valid(
      'a launch with a longer terminal',
      { flags: 1, fields: [field(3, Buffer.concat([colours, Buffer.of(9, 9)]))] },
      [{ key: 3, name: 'terminal', stream: 1, depth: 24, columns: 120, rows: 40 }],
    ),
    valid('a launch with a version twice: the last one counts', { fields: [field(2, '1'), field(2, '2')] }, [
      { key: 2, name: 'version', text: '1' },
      { key: 2, name: 'version', text: '2' },
    ]),
    valid('a launch with unknown fields', { fields: [field(99, ''), field(200, Buffer.of(0xff))] }, [
      { key: 99, hex: '' },
      { key: 200, hex: 'ff' },
    ]),
    valid(
      'a launch with fields that other frames have',
      { fields: [field(1, Buffer.of(0xff)), field(5, Buffer.of(0xff))] },
      [
        { key: 1, hex: 'ff' },
        { key: 5, hex: 'ff' },
      ],
    ),
    valid('a launch that does not wait, with a terminal of 5 bytes', { fields: [field(3, Buffer.alloc(5, 1))] }, [
      { key: 3, hex: '0101010101' },
    ]),
    valid(
      'a launch with a terminal of another stream, and another colour depth',
      { flags: 1, fields: [field(3, terminal(3, 24, 80, 24)), field(3, terminal(2, 7, 80, 24))] },
      [
        { key: 3, name: 'terminal', stream: 3, depth: 24, columns: 80, rows: 24 },
        { key: 3, name: 'terminal', stream: 2, depth: 7, columns: 80, rows: 24 },
      ],
    ),
    valid('a launch with a token', { fields: [field(6, u64(4711n))] }, [{ key: 6, name: 'token', number: 4711 }]),
    badLaunch('a launch with a body of 10 bytes', frame(1, Buffer.alloc(10))),
    badLaunch('a launch without arguments', launch({ args: '' })),
    badLaunch('a launch whose arguments are not JSON', launch({ args: '{' })),
    badLaunch('a launch with an unknown flag', launch({ flags: 2 })),
    badLaunch('a launch whose working directory is not UTF-8', launch({ cwd: Buffer.of(0xff) })),
    badLaunch(
      'a launch that is shorter than its working directory',
      frame(1, Buffer.alloc(5), u16(0xffff), Buffer.alloc(20)),
    ),
    badLaunch('a launch that is shorter than its fields', frame(1, Buffer.alloc(7), u32(100), Buffer.from('1'))),
    badLaunch('a launch whose last field has no complete head', launch({ fields: [Buffer.of(2, 0)] })),
    badLaunch('a launch whose last field is incomplete', launch({ fields: [Buffer.of(2, 0, 2, 0x31)] })),
    badLaunch('a launch with a version that is not UTF-8', launch({ fields: [field(2, Buffer.of(0xff))] })),
    badLaunch('a launch with a variable without a name', launch({ fields: [field(4, '=x')] })),
    badLaunch('a launch with a variable without "="', launch({ fields: [field(4, 'NAME')] })),
    badLaunch('a launch with a terminal of 5 bytes', launch({ flags: 1, fields: [field(3, Buffer.alloc(5, 1))] })),
    badLaunch(
      'a launch with a terminal of another stream, of 5 bytes',
      launch({ flags: 1, fields: [field(3, Buffer.alloc(5, 9))] }),
    ),
    badLaunch('a launch with a token of 7 bytes', launch({ fields: [field(6, Buffer.alloc(7))] })),
    badLaunch('a launch with a token of 54 bits', launch({ fields: [field(6, u64(2n ** 53n))] })),
    badLaunch('a length of 0', u32(0)),
    badLaunch('a length over maxMessageBytes, 1,048,576', u32(1_048_577), 'refusal 2'),
    badLaunch('a frame of a host: a receipt', receipt()),
    badLaunch('a frame of an unknown kind below 128', frame(16)),
  ];
}

function receipts(): readonly MessageVector[] {
  const outcomes: Readonly<Record<number, string>> = { 1: 'delivered', 2: 'throttled', 3: 'released' };
  const valid = (name: string, parts: ReceiptParts, fields: readonly object[] = []): MessageVector => {
    const outcome = outcomes[parts.outcome ?? 1];
    return vector(
      name,
      'receipt',
      'host',
      receipt(parts),
      { outcome, client: parts.client ?? 1, pid: HOST_PID, since: SINCE, fields },
      'accept',
    );
  };
  return [
    valid('a receipt: delivered', {}),
    valid('a receipt: throttled', { outcome: 2, client: 2 }),
    valid('a receipt: released', { outcome: 3, client: 4_294_967_295 }),
    valid('a receipt with a version', { fields: [field(2, '1.3.9')] }, [{ key: 2, name: 'version', text: '1.3.9' }]),
    valid(
      'a receipt with a token and an address',
      { fields: [field(6, u64(2n ** 53n - 1n)), field(7, 'tcp://10.1.2.3:7001')] },
      [
        { key: 6, name: 'token', number: Number.MAX_SAFE_INTEGER },
        { key: 7, name: 'address', text: 'tcp://10.1.2.3:7001' },
      ],
    ),
    badReceipt('a receipt with a token of 54 bits', receipt({ fields: [field(6, u64(2n ** 53n))] })),
    valid('a receipt with an unknown field', { fields: [field(99, 'x')] }, [{ key: 99, hex: '78' }]),
    badReceipt('a receipt of 16 bytes', frame(2, receipt().subarray(5, 21))),
    badReceipt('a receipt with outcome 0', receipt({ outcome: 0 })),
    badReceipt('a receipt with an unknown outcome', receipt({ outcome: 4 })),
    badReceipt('a receipt with client 0', receipt({ client: 0 })),
    badReceipt('a receipt whose field is incomplete', receipt({ fields: [Buffer.of(2, 0, 9)] })),
  ];
}

/** The reactions after a launch. */
const REASONS: readonly (readonly [number, string, string])[] = [
  [1, 'invalid arguments', 'fail'],
  [2, 'too large', 'fail'],
  [3, 'malformed', 'fail'],
  [4, 'busy', 'fail'],
  [5, 'not dispatched', 'retry'],
  [6, 'listener failed', 'fail, may have run: only in a session'],
  [7, 'released', 'fail, may have run: only in a session'],
  [8, 'replace refused', 'fail: only after a replace'],
];

function refusals(): readonly MessageVector[] {
  const valid = ([reason, meaning, reaction]: readonly [number, string, string]): MessageVector =>
    vector(
      `refusal ${reason}, ${meaning}`,
      'refusal',
      'host',
      refusal(reason),
      { reason, meaning, fields: [] },
      reaction,
    );
  const text = 'Expected a launch.';
  const decoded = { reason: 3, meaning: 'malformed' };
  return [
    ...REASONS.map(valid),
    vector(
      'refusal 3 with a message',
      'refusal',
      'host',
      refusal(3, [field(1, text)]),
      { ...decoded, fields: [{ key: 1, name: 'message', text }] },
      'fail',
    ),
    vector(
      'refusal 3 with an unknown field',
      'refusal',
      'host',
      refusal(3, [field(99, 'x')]),
      { ...decoded, fields: [{ key: 99, hex: '78' }] },
      'fail',
    ),
    vector('a refusal with an unknown reason', 'refusal', 'host', refusal(99), null, 'fail, may have run'),
    vector('a refusal without a reason', 'refusal', 'host', frame(3), null, 'fail, may have run'),
    vector(
      'a refusal whose field is incomplete',
      'refusal',
      'host',
      refusal(3, [Buffer.of(1)]),
      null,
      'fail, may have run',
    ),
  ];
}

function statuses(): readonly MessageVector[] {
  const counts = { pid: HOST_PID, since: SINCE, clients: 3, pending: 0, sessions: 1 };
  return [
    vector('a status request', 'status request', 'client', frame(10), { fields: [] }, 'status'),
    vector(
      'a status request with an unknown field',
      'status request',
      'client',
      frame(10, field(99, 'x')),
      { fields: [{ key: 99, hex: '78' }] },
      'status',
    ),
    vector('a status', 'status', 'host', statusFrame(), { ...counts, fields: [] }, 'accept'),
    vector(
      'a status with a version and two codecs',
      'status',
      'host',
      statusFrame({ fields: [field(2, '1.3.9'), field(5, 'json'), field(5, 'legacy')] }),
      {
        ...counts,
        fields: [
          { key: 2, name: 'version', text: '1.3.9' },
          { key: 5, name: 'codec', text: 'json' },
          { key: 5, name: 'codec', text: 'legacy' },
        ],
      },
      'accept',
    ),
    vector(
      'a status with a token and an address',
      'status',
      'host',
      statusFrame({ fields: [field(6, u64(1n)), field(7, 'tcp://[fd00::1]:7001'), field(5, 'json')] }),
      {
        ...counts,
        fields: [
          { key: 6, name: 'token', number: 1 },
          { key: 7, name: 'address', text: 'tcp://[fd00::1]:7001' },
          { key: 5, name: 'codec', text: 'json' },
        ],
      },
      'accept',
    ),
    vector('a status of 23 bytes', 'status', 'host', frame(11, Buffer.alloc(23)), null, 'fail'),
  ];
}

function replaces(): readonly MessageVector[] {
  return [
    vector('a replace', 'replace', 'client', frame(12), { fields: [] }, 'replaced, refusal 8 or refusal 5'),
    vector('replaced', 'replaced', 'host', frame(13), { fields: [] }, 'bind and listen at once'),
    vector(
      'replaced with an unknown field',
      'replaced',
      'host',
      frame(13, field(99, 'x')),
      { fields: [{ key: 99, hex: '78' }] },
      'bind and listen at once',
    ),
  ];
}

function sessionFrames(): readonly MessageVector[] {
  const resized = { stream: 1, depth: 8, columns: 100, rows: 30 };
  return [
    fromHost(
      'a reply',
      'reply',
      frame(4, Buffer.from('{"bytes":6}')),
      { value: { bytes: 6 } },
      'the value, exit status 0',
    ),
    fromHost('a reply that is not JSON', 'reply', frame(4, Buffer.from('{')), null, 'fail, may have run'),
    fromHost('exit 0', 'exit', frame(5, Buffer.of(0)), { code: 0 }, 'exit status 0'),
    fromHost('exit 255', 'exit', frame(5, Buffer.of(255)), { code: 255 }, 'exit status 255'),
    fromHost('an exit without a status', 'exit', frame(5), null, 'fail, may have run'),
    fromHost('an exit of 2 bytes', 'exit', frame(5, Buffer.of(0, 0)), null, 'fail, may have run'),
    fromHost(
      'stdout',
      'stdout',
      frame(6, Buffer.from('saved\n')),
      { bytes: hex(Buffer.from('saved\n')) },
      'writes it to stdout',
    ),
    fromHost('an empty stdout, which no host sends', 'stdout', frame(6), { bytes: '' }, 'ignores it'),
    fromHost('stderr', 'stderr', frame(7, Buffer.of(0, 0xff)), { bytes: '00ff' }, 'writes it to stderr'),
    fromClient(
      'stdin',
      'stdin',
      frame(8, Buffer.from('draft\n')),
      { bytes: hex(Buffer.from('draft\n')) },
      'accepts it within the credit, else refusal 3',
    ),
    fromClient('the end of stdin', 'stdin', frame(8), { bytes: '' }, 'accepts it once, else refusal 3'),
    fromHost('a window update', 'window update', frame(9, u32(262_144)), { bytes: 262_144 }, 'adds it to the credit'),
    fromHost('a window update of 0', 'window update', frame(9, u32(0)), { bytes: 0 }, 'ignores it'),
    fromHost('a window update of 3 bytes', 'window update', frame(9, Buffer.alloc(3)), null, 'fail, may have run'),
    fromClient('a resize', 'resize', frame(14, terminal(1, 8, 100, 30)), resized, 'accept'),
    fromClient('a longer resize', 'resize', frame(14, terminal(1, 8, 100, 30), Buffer.of(9)), resized, 'accept'),
    fromClient('a resize of 5 bytes', 'resize', frame(14, Buffer.alloc(5, 1)), null, 'refusal 3'),
    fromClient(
      'the signal SIGINT',
      'signal',
      frame(15, Buffer.from('SIGINT')),
      { signal: 'SIGINT' },
      'if nothing listens: exit 130',
    ),
    fromClient('a signal in lower case', 'signal', frame(15, Buffer.from('sigint')), null, 'refusal 3'),
    fromClient('a signal without a name', 'signal', frame(15), null, 'refusal 3'),
    fromClient('a signal with a name of 17 bytes', 'signal', frame(15, Buffer.from('A'.repeat(17))), null, 'refusal 3'),
  ];
}

function skippedFrames(): readonly MessageVector[] {
  return (['client', 'host'] as const).flatMap((from) => [
    vector(`a frame of kind 128 from the ${from}`, 'skipped', from, frame(128), { kind: 128, bytes: '' }, 'skip'),
    vector(
      `a frame of kind 255 from the ${from}`,
      'skipped',
      from,
      frame(255, Buffer.from('x')),
      { kind: 255, bytes: '78' },
      'skip',
    ),
  ]);
}

function validHello(
  name: string,
  reaction: string,
  flags: number,
  codec = 'json',
  application = 'notes',
): MessageVector {
  const bytes = clientHello({ flags, codec, application });
  return vector(name, 'client hello', 'client', bytes, helloOf(flags, codec, application), reaction);
}

function badHello(name: string, bytes: Buffer, reaction: string): MessageVector {
  return vector(name, 'client hello', 'client', bytes, null, reaction);
}

function badLaunch(name: string, bytes: Buffer, reaction = 'refusal 3'): MessageVector {
  return vector(name, 'launch', 'client', bytes, null, reaction);
}

function badReceipt(name: string, bytes: Buffer): MessageVector {
  return vector(name, 'receipt', 'host', bytes, null, 'fail, may have run');
}

function fromHost(name: string, message: string, bytes: Buffer, decoded: unknown, reaction: string): MessageVector {
  return vector(name, message, 'host', bytes, decoded, reaction);
}

function fromClient(name: string, message: string, bytes: Buffer, decoded: unknown, reaction: string): MessageVector {
  return vector(name, message, 'client', bytes, decoded, reaction);
}

function vector(
  name: string,
  message: string,
  from: 'client' | 'host',
  bytes: Buffer,
  decoded: unknown,
  reaction: string,
): MessageVector {
  const written = decoded !== null && message !== 'skipped' && !UNWRITTEN.has(name);
  return { name, message, from, hex: hex(bytes), decoded, reaction, written };
}

export function hex(bytes: Uint8Array = EMPTY): string {
  return Buffer.from(bytes).toString('hex');
}
