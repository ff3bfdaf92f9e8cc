import {
  clientHello,
  EMPTY,
  field,
  frame,
  hostHello,
  launch,
  receipt,
  refusal,
  statusFrame,
  terminal,
  u32,
} from './bytes.ts';
import { hex } from './messages.ts';
import { agree, countingKey, publicOf, record, traceHandshake } from './noise-trace.ts';

/** What one side sends next. */
export interface DialogueStep {
  readonly from: 'client' | 'host';
  readonly name: string;
  readonly hex: string;
}

/** A whole connection, in the order in which it is sent. Both sides are right. */
export interface DialogueVector {
  readonly name: string;
  readonly steps: readonly DialogueStep[];
  /** What the client knows in the end. */
  readonly decoded: unknown;
  readonly reaction: string;
}

const client = (name: string, bytes: Buffer): DialogueStep => ({ from: 'client', name, hex: hex(bytes) });
const host = (name: string, bytes: Buffer): DialogueStep => ({ from: 'host', name, hex: hex(bytes) });
const hellos = [client('client hello', clientHello({})), host('host hello', hostHello(0))];
const waits = [...hellos, client('launch that waits', launch({ flags: 1 })), host('receipt', receipt())];
const DELIVERED = { outcome: 'delivered', client: 1 };

export function dialogueVectors(): readonly DialogueVector[] {
  const replyOf = [
    host('window update', frame(9, u32(262_144))),
    client('stdin', frame(8, Buffer.from('draft\n'))),
    client('end of stdin', frame(8)),
    host('stdout', frame(6, Buffer.from('saved\n'))),
    host('stderr', frame(7, Buffer.from('line 3 is new\n'))),
    host('reply', frame(4, Buffer.from('{"bytes":6}'))),
  ];
  const output = { stdout: 'saved\n', stderr: 'line 3 is new\n' };
  return [
    {
      name: 'a launch and its receipt',
      steps: [...hellos, client('launch', launch()), host('receipt', receipt())],
      decoded: DELIVERED,
      reaction: 'delivered; the client ends, then the host',
    },
    {
      name: 'a session with stdin, output and a reply',
      steps: [...waits, ...replyOf],
      decoded: { ...DELIVERED, ...output, reply: { bytes: 6 }, exitCode: 0 },
      reaction: 'delivered, exit status 0; the client ends, then the host',
    },
    {
      name: 'a session with an exit status only',
      steps: [...waits, host('exit', frame(5, Buffer.of(3)))],
      decoded: { ...DELIVERED, exitCode: 3 },
      reaction: 'delivered, exit status 3; the client ends, then the host',
    },
    {
      name: 'a session with a resize and a signal that nothing on the host listens for',
      steps: [
        ...waits,
        client('resize', frame(14, terminal(1, 8, 100, 30))),
        client('signal', frame(15, Buffer.from('SIGINT'))),
        host('exit', frame(5, Buffer.of(130))),
      ],
      decoded: { ...DELIVERED, exitCode: 130 },
      reaction: 'delivered, exit status 130; the client ends, then the host',
    },
    {
      name: 'a session of a throttled launch',
      steps: [
        ...waits.slice(0, 3),
        host('receipt', receipt({ outcome: 2, client: 2 })),
        host('exit', frame(5, Buffer.of(0))),
      ],
      decoded: { outcome: 'throttled', client: 2, exitCode: 0 },
      reaction: 'throttled, exit status 0; the client ends, then the host',
    },
    {
      name: 'a session whose host is released',
      steps: [...waits, host('refusal', refusal(7))],
      decoded: { ...DELIVERED, refusal: 7 },
      reaction: 'the client fails, the launch may have run; the host closes 200 ms later',
    },
    {
      name: 'a status, then the end',
      steps: [
        ...hellos,
        client('status request', frame(10)),
        host('status', statusFrame({ fields: [field(2, '1.3.9'), field(5, 'json')] })),
      ],
      decoded: { clients: 3, pending: 0, sessions: 1, version: '1.3.9', codecs: ['json'] },
      reaction: 'the client ends, then the host; nothing is counted or reported',
    },
    {
      name: 'a status, then a replace',
      steps: [
        ...hellos,
        client('status request', frame(10)),
        host('status', statusFrame({ fields: [field(2, '1.3.9'), field(5, 'json')] })),
        client('replace', frame(12)),
        host('replaced', frame(13)),
      ],
      decoded: { replaced: true },
      reaction: 'the host has stopped listening before it sends replaced; both end, and the client binds and listens',
    },
    {
      name: 'a replace that is refused',
      steps: [...hellos, client('replace', frame(12)), host('refusal', refusal(8))],
      decoded: { refusal: 8 },
      reaction: 'the client ends, then the host; the client may deliver its launch on another connection',
    },
  ];
}

export interface SecuredVector {
  readonly name: string;
  readonly secret: string;
  readonly clientPrivateKey: string;
  readonly hostPrivateKey: string;
  readonly prologue: string;
  readonly hostHello: string;
  readonly psk: string;
  /** The values of the Noise specification after each step; `h` is the hash, `ck` the chaining key, `k` the key. */
  readonly handshake: readonly { readonly step: string; readonly values: Readonly<Record<string, string>> }[];
  readonly firstMessage: string;
  readonly secondMessage: string;
  readonly handshakeHash: string;
  readonly records: readonly (DialogueStep & { readonly plaintext: string })[];
  readonly decoded: unknown;
  readonly reaction: string;
}

export const EXAMPLE_SECRET = 'an example, not to be used';

export function securedVectors(): readonly SecuredVector[] {
  const frames = [
    ['client', 'launch', launch()],
    ['host', 'receipt', receipt()],
    ['client', 'end record', EMPTY],
  ] as const;
  return [
    secured('the launch of the first json example', EXAMPLE_SECRET, clientHello({ flags: 1 }), frames),
    secured(
      'a secret that is not ASCII, an empty application, the flag fallback',
      'Größe ist geheim',
      clientHello({ flags: 3, application: '' }),
      frames,
    ),
    secured('a launch in two records, cut in its length', EXAMPLE_SECRET, clientHello({ flags: 1 }), [
      ['client', 'launch, first record', launch().subarray(0, 3)],
      ['client', 'launch, second record', launch().subarray(3)],
      ['host', 'receipt', receipt()],
      ['client', 'end record', EMPTY],
    ]),
  ];
}

function secured(
  name: string,
  secret: string,
  prologue: Buffer,
  plaintexts: readonly (readonly ['client' | 'host', string, Buffer])[],
): SecuredVector {
  const [clientKey, hostKey] = [countingKey(0x01), countingKey(0x21)];
  const trace = traceHandshake({
    secret,
    prologue,
    clientPublic: publicOf(clientKey),
    hostPublic: publicOf(hostKey),
    dh: agree(clientKey, publicOf(hostKey)),
    hostHello: hostHello(0),
  });
  const sent = { client: 0, host: 0 };
  const records = plaintexts.map(([from, label, plaintext]) => {
    const bytes = record(from === 'client' ? trace.clientToHost : trace.hostToClient, sent[from], plaintext);
    sent[from] += 1;
    return { from, name: label, hex: hex(bytes), plaintext: hex(plaintext) };
  });
  return {
    name,
    secret,
    clientPrivateKey: hex(clientKey),
    hostPrivateKey: hex(hostKey),
    prologue: hex(prologue),
    hostHello: hex(hostHello(0)),
    psk: hex(trace.psk),
    handshake: trace.steps.map(({ step, values }) => ({
      step,
      values: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, hex(value)])),
    })),
    firstMessage: hex(trace.first),
    secondMessage: hex(trace.second),
    handshakeHash: hex(trace.handshakeHash),
    records,
    decoded: DELIVERED,
    reaction: 'delivered; the client ends, then the host without an end record',
  };
}

/** What a legacy host receives before the client ends. */
export interface LegacyVector {
  readonly name: string;
  readonly hex: string;
  /** The secret of the host. */
  readonly secret: string | null;
  /** The arguments; `null` if there is no launch. */
  readonly decoded: readonly string[] | null;
  readonly reaction: 'accept' | 'drop' | 'reset' | 'status 2' | 'ignore';
  /** Whether a client sends this. */
  readonly written: boolean;
}

export function legacyVectors(): readonly LegacyVector[] {
  return [
    acceptsLegacy('two arguments', 'open\0a.txt\0', ['open', 'a.txt']),
    acceptsLegacy('no arguments', '\0', []),
    acceptsLegacy('two empty arguments', '\0\0', ['', '']),
    acceptsLegacy('an empty argument between two others', 'a\0\0b\0', ['a', '', 'b']),
    acceptsLegacy('arguments that are not ASCII', 'größe\0😀\0', ['größe', '😀']),
    acceptsLegacy('a line feed after the first NUL', 'a\0GET / HTTP/1.1\n\0', ['a', 'GET / HTTP/1.1\n']),
    acceptsLegacy('an argument that begins like the name of a key', 'SSH-2.0-x\0', ['SSH-2.0-x']),
    acceptsLegacy('a secret and two arguments', 'sesame\0open\0a.txt\0', ['open', 'a.txt'], 'sesame'),
    acceptsLegacy('a secret and no arguments', 'sesame\0', [], 'sesame'),
    acceptsLegacy('a secret and a single empty argument', 'sesame\0\0', [''], 'sesame'),
    acceptsLegacy(
      'the secret of the client, to a host that has none',
      'sesame\0open\0',
      ['sesame', 'open'],
      null,
      false,
    ),
    refusesLegacy('another secret', 'other\0open\0', 'drop', 'sesame'),
    refusesLegacy('no secret', 'open\0', 'drop', 'sesame'),
    refusesLegacy('a single NUL, to a host that has a secret', '\0', 'drop', 'sesame'),
    refusesLegacy('nothing', EMPTY, 'ignore'),
    refusesLegacy('no NUL at the end', 'open\0a.txt', 'drop'),
    refusesLegacy('bytes that are not UTF-8', Buffer.from('ff00', 'hex'), 'drop'),
    refusesLegacy('HTTP', 'GET / HTTP/1.1\r\n', 'reset'),
    refusesLegacy('HTTP by an invented method in lower case', 'patch /a\tb HTTP/1.0\n', 'reset'),
    refusesLegacy('HTTP 2', 'PRI * HTTP/2.0\r\n', 'reset'),
    refusesLegacy('TLS', Buffer.from('16030100', 'hex'), 'reset'),
    refusesLegacy('SSH', 'SSH-2.0-OpenSSH_9.7\r\n', 'reset'),
    refusesLegacy('the structured protocol', clientHello({}), 'status 2'),
  ];
}

function acceptsLegacy(
  name: string,
  message: string,
  decoded: readonly string[],
  secret: string | null = null,
  written = true,
): LegacyVector {
  return {
    name,
    hex: hex(Buffer.from(message)),
    secret,
    decoded,
    reaction: 'accept',
    written,
  };
}

function refusesLegacy(
  name: string,
  bytes: Buffer | string,
  reaction: LegacyVector['reaction'],
  secret: string | null = null,
): LegacyVector {
  return {
    name,
    hex: hex(Buffer.from(bytes)),
    secret,
    decoded: null,
    reaction,
    written: false,
  };
}
