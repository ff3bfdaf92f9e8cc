import {
  clientHello,
  EMPTY,
  field,
  frame,
  hostHello,
  launch,
  MAGIC,
  receipt,
  refusal,
  u16,
  u32,
  u64,
} from './bytes.ts';
import { hex } from './messages.ts';

/** What a tester does, in order. In `receive`, `..` is any byte. */
export type TesterStep = Action & {
  /** When the other side does it, if not at once: after the option `receiveTimeout`, or one second later. */
  readonly after?: 'receiveTimeout' | '1 s';
};

type Action =
  | { readonly send: string }
  /** Sends hello and handshake of this side. `alter`: what it sends wrongly. */
  | { readonly secure: 'client' | 'host'; readonly alter?: 'tag' | 'features' }
  | { readonly receive: string }
  /** One frame of this kind; if `body` is there, with this body. */
  | { readonly receiveFrame: number; readonly body?: string }
  | { readonly end: true }
  | { readonly reset: true }
  /** `close`: an end or a reset. Nothing else arrives before. */
  | { readonly sees: 'end' | 'reset' | 'close' };

/** A row of the section "Conformance". The tester plays the other side. */
export interface ConnectionVector {
  readonly row: string;
  readonly name: string;
  readonly to: 'host' | 'client';
  /** How the side that is tested is set up. */
  readonly setup: Setup;
  readonly steps: readonly TesterStep[];
  readonly reaction: string;
}

export interface Setup {
  /** Those that a host accepts. A client speaks the first. */
  readonly codecs: readonly ('json' | 'legacy')[];
  readonly application: string;
  readonly secret: string | null;
  /** Host. */
  readonly allowReplace?: boolean;
  /** Client: whether the launch waits, and its stdin. */
  readonly waits?: boolean;
  readonly stdin?: string;
}

const JSON_SETUP: Setup = { codecs: ['json'], application: 'notes', secret: null };
const SECRET_SETUP: Setup = { ...JSON_SETUP, secret: 'an example, not to be used' };
const LEGACY_SETUP: Setup = { codecs: ['legacy'], application: '', secret: null };
const BOTH_SETUP: Setup = { ...LEGACY_SETUP, codecs: ['json', 'legacy'] };
const OK = hostHello(0);
const HELLO = clientHello({});
const RECEIPT = `00000012020100000001${'..'.repeat(12)}`;

export function connectionVectors(): readonly ConnectionVector[] {
  return [...toHost(), ...toLegacyHost(), ...toClient(), ...toLegacyClient()];
}

type RowOf = (
  row: string,
  name: string,
  reaction: string,
  steps: readonly TesterStep[],
  setup?: Setup,
) => ConnectionVector;

function rowsTo(to: ConnectionVector['to'], usual: Setup): RowOf {
  return (row, name, reaction, steps, setup = usual) => ({ row, name: `${row}: ${name}`, to, setup, steps, reaction });
}

function send(...parts: readonly Uint8Array[]): TesterStep {
  return { send: hex(Buffer.concat(parts)) };
}

function receive(bytes: Buffer): TesterStep {
  return { receive: hex(bytes) };
}

/** The beginning of the body is the reason. */
function refused(reason: number): TesterStep {
  return { receiveFrame: 3, body: `${hex(Buffer.of(reason))}*` };
}

const END: TesterStep = { end: true };
const SEES_END: TesterStep = { sees: 'end' };
const SEES_RESET: TesterStep = { sees: 'reset' };
const SEES_CLOSE: TesterStep = { sees: 'close' };
const SEES_RESET_LATER: TesterStep = { sees: 'reset', after: '1 s' };
const SEES_EXPIRED: TesterStep = { sees: 'reset', after: 'receiveTimeout' };
/** The least and the greatest kind that a reader skips, and one between them. */
const SKIPPED = Buffer.concat([frame(128), frame(200, Buffer.from('later')), frame(255, Buffer.from('x'))]);

function toHost(): readonly ConnectionVector[] {
  const row = rowsTo('host', JSON_SETUP);
  const status = (number: string, name: string, value: number, bytes: Buffer, setup = JSON_SETUP): ConnectionVector =>
    row(
      number,
      name,
      `status ${value}`,
      // After status 0, the end withdraws a launch: the host may refuse it.
      [send(bytes), receive(hostHello(value)), END, ...(value === 0 ? [] : [SEES_END])],
      setup,
    );
  const afterHello = (
    number: string,
    name: string,
    reaction: string,
    bytes: Buffer,
    answer: TesterStep,
  ): ConnectionVector => row(number, name, reaction, [send(HELLO), receive(OK), send(bytes), answer, END, SEES_END]);
  const refuses = (number: string, name: string, bytes: Buffer, reason = 3): ConnectionVector =>
    afterHello(number, name, `refusal ${reason}`, bytes, refused(reason));
  const accepted = (number: string, name: string, bytes: Buffer): ConnectionVector =>
    afterHello(number, name, 'receipt', bytes, { receive: RECEIPT });
  const inSession = (
    number: string,
    name: string,
    reaction: string,
    bytes: Buffer,
    ...answer: readonly TesterStep[]
  ): ConnectionVector =>
    row(number, name, reaction, [
      send(HELLO),
      receive(OK),
      send(launch({ flags: 1 })),
      { receive: RECEIPT },
      ...(bytes.length === 0 ? [] : [send(bytes)]),
      ...answer,
      END,
      SEES_END,
    ]);
  const secured = (number: string, name: string, steps: readonly TesterStep[]): ConnectionVector =>
    row(number, name, 'close without an answer', [{ secure: 'client' }, ...steps, SEES_CLOSE], SECRET_SETUP);
  const half = launch().subarray(0, 20);
  return [
    status('H1', 'a client hello', 0, HELLO),
    status('H2', 'another version, before the flags arrive', 1, Buffer.concat([MAGIC, Buffer.of(2)])),
    status('H3', 'an unknown flag, before the names arrive', 7, Buffer.concat([MAGIC, Buffer.of(1, 4)])),
    status('H4', 'the flag fallback', 0, clientHello({ flags: 2 })),
    status(
      'H5',
      'another application, before the codec is checked',
      3,
      clientHello({ codec: 'other', application: 'other' }),
    ),
    status('H6', 'another codec', 2, clientHello({ codec: 'other' })),
    status(
      'H7',
      'a secret that the host does not have, before the handshake message arrives',
      5,
      clientHello({ flags: 1 }),
    ),
    status('H8', 'no secret, to a host that has one', 4, HELLO, SECRET_SETUP),
    status(
      'H9',
      'a wrong handshake message',
      6,
      Buffer.concat([clientHello({ flags: 1 }), Buffer.alloc(48, 9)]),
      SECRET_SETUP,
    ),
    row('H10', 'another first byte', 'reset', [send(Buffer.from('G')), SEES_RESET]),
    row('H11', 'another magic', 'reset', [send(Buffer.from('f553534c0d0a1a0b', 'hex')), SEES_RESET]),
    status('H12', 'a legacy launch', 2, Buffer.from('open\0')),
    row('H13', 'HTTP', 'reset', [send(Buffer.from('GET / HTTP/1.1\r\n')), SEES_RESET]),
    row('H14', 'the end in the middle of the client hello', 'reset', [send(HELLO.subarray(0, 4)), END, SEES_RESET]),
    row('H15', 'half of a client hello, and nothing more', 'reset after receiveTimeout', [
      send(HELLO.subarray(0, 4)),
      SEES_EXPIRED,
    ]),
    row('H16', 'no end after status 7', 'reset one second later', [
      send(MAGIC, Buffer.of(1, 4)),
      receive(hostHello(7)),
      SEES_RESET_LATER,
    ]),
    row('H17', 'bytes after status 7', 'they are discarded', [
      send(MAGIC, Buffer.of(1, 4)),
      receive(hostHello(7)),
      send(launch()),
      END,
      SEES_END,
    ]),
    refuses('H20', 'a length of 0', u32(0)),
    refuses('H21', 'a length over maxMessageBytes', u32(1_048_577), 2),
    refuses('H22', 'a frame of a host', receipt()),
    refuses('H23', 'a frame of an unknown kind below 128', frame(16)),
    accepted('H24', 'frames that are skipped, then a launch', Buffer.concat([SKIPPED, launch()])),
    refuses('H25', 'a launch with a body of 10 bytes', frame(1, Buffer.alloc(10))),
    refuses('H26', 'a launch with an unknown flag', launch({ flags: 2 })),
    refuses(
      'H27',
      'a launch that is shorter than its working directory',
      frame(1, Buffer.alloc(5), u16(0xffff), Buffer.alloc(20)),
    ),
    refuses('H28', 'a launch whose working directory is not UTF-8', launch({ cwd: Buffer.of(0xff) })),
    refuses('H29', 'a launch that is shorter than its fields', frame(1, Buffer.alloc(7), u32(100), Buffer.from('1'))),
    refuses('H30', 'a launch whose last field is incomplete', launch({ fields: [Buffer.of(2, 0, 2, 0x31)] })),
    accepted('H31', 'a launch with an unknown field', launch({ fields: [field(99, 'x')] })),
    refuses('H32', 'a launch without arguments', launch({ args: '' })),
    refuses('H33', 'a launch with 33 levels of arrays', launch({ args: '['.repeat(33) + ']'.repeat(33) })),
    refuses('H34', 'two launches in one piece', Buffer.concat([launch(), launch()])),
    refuses('H35', 'a launch with a token, at a host without one', launch({ fields: [field(6, u64(1n))] }), 5),
    row('H36', 'the end in the middle of a launch', 'refusal 5', [
      send(HELLO),
      receive(OK),
      send(half),
      END,
      refused(5),
      SEES_END,
    ]),
    row('H37', 'half of a launch, and nothing more', 'refusal 5 after receiveTimeout', [
      send(HELLO),
      receive(OK),
      send(half),
      { ...refused(5), after: 'receiveTimeout' },
      END,
      SEES_END,
    ]),
    row('H39', 'no end after the receipt', 'reset one second later', [
      send(HELLO),
      receive(OK),
      send(launch()),
      { receive: RECEIPT },
      SEES_RESET_LATER,
    ]),
    row('H40', 'a status request, then the end', 'status', [
      send(HELLO),
      receive(OK),
      send(frame(10)),
      { receiveFrame: 11 },
      END,
    ]),
    row('H41', 'two status requests', 'status, refusal 3', [
      send(HELLO),
      receive(OK),
      send(frame(10)),
      { receiveFrame: 11 },
      send(frame(10)),
      refused(3),
      END,
      SEES_END,
    ]),
    row('H42', 'a status request, then a launch', 'status, receipt', [
      send(HELLO),
      receive(OK),
      send(frame(10)),
      { receiveFrame: 11 },
      send(launch()),
      { receive: RECEIPT },
      END,
      SEES_END,
    ]),
    refuses('H43', 'a replace, to a host that does not allow it', frame(12), 8),
    row(
      'H44',
      'a replace, to a host that allows it',
      'replaced',
      [send(HELLO), receive(OK), send(frame(12)), { receiveFrame: 13 }, END, SEES_END],
      { ...JSON_SETUP, allowReplace: true },
    ),
    inSession('H50', 'stdin without credit', 'refusal 3', frame(8, Buffer.of(1)), refused(3)),
    inSession('H51', 'the end of stdin before the first window update', 'nothing', frame(8)),
    inSession('H52', 'frames that are skipped, in a session', 'nothing', SKIPPED),
    inSession('H53', 'a second launch, in a session', 'refusal 3', launch(), refused(3)),
    inSession('H54', 'a length of 65,538, in a session', 'refusal 3', u32(65_538), refused(3)),
    inSession('H55', 'a resize of 5 bytes', 'refusal 3', frame(14, Buffer.alloc(5, 1)), refused(3)),
    inSession(
      'H56',
      'a signal that nothing listens for',
      'exit 130',
      frame(15, Buffer.from('SIGINT')),
      receive(frame(5, Buffer.of(130))),
    ),
    inSession('H57', 'a signal in lower case', 'refusal 3', frame(15, Buffer.from('sigint')), refused(3)),
    inSession('H58', 'the end, in a session', 'end without a result', EMPTY),
    inSession('H59', 'a frame of an unknown kind below 128, in a session', 'refusal 3', frame(16), refused(3)),
    secured('H60', 'a record that does not decrypt', [
      { send: hex(Buffer.concat([Buffer.of(0, 16), Buffer.alloc(16)])) },
    ]),
    secured('H61', 'a record that is too short', [{ send: '000f' }]),
    secured('H62', 'an end without an end record', [END]),
  ];
}

function toLegacyHost(): readonly ConnectionVector[] {
  const row = rowsTo('host', LEGACY_SETUP);
  return [
    row('L1', 'a legacy message', 'end; one launch', [send(Buffer.from('open\0')), END, SEES_END]),
    row('L2', 'a legacy message without NUL', 'end; no launch', [send(Buffer.from('open')), END, SEES_END]),
    row('L3', 'an end without a byte', 'end; nothing is reported', [END, SEES_END]),
    row('L4', 'a legacy message that is not UTF-8', 'end; no launch', [send(Buffer.of(0xff, 0)), END, SEES_END]),
    row('L5', 'HTTP, to a legacy host', 'reset', [send(Buffer.from('GET / HTTP/1.1\r\n')), SEES_RESET]),
    row('L6', 'the structured protocol, to a legacy host', 'status 2', [
      send(MAGIC.subarray(0, 1)),
      receive(hostHello(2)),
      END,
      SEES_END,
    ]),
    row('L7', 'a legacy message that does not end', 'reset after receiveTimeout', [
      send(Buffer.from('o')),
      SEES_EXPIRED,
    ]),
    row('L8', 'TLS, to a legacy host', 'reset', [send(Buffer.from('16030100', 'hex')), SEES_RESET]),
    row('L9', 'another secret, to a legacy host', 'end; no launch', [send(Buffer.from('open\0')), END, SEES_END], {
      ...LEGACY_SETUP,
      secret: 'sesame',
    }),
    row(
      'L10',
      'a legacy message, to a host that accepts json too',
      'end; one launch',
      [send(Buffer.from('open\0')), END, SEES_END],
      BOTH_SETUP,
    ),
    row(
      'L11',
      'a client hello, to a host that accepts both protocols',
      'status 0',
      [send(clientHello({ application: '' })), receive(OK), END],
      BOTH_SETUP,
    ),
  ];
}

function toClient(): readonly ConnectionVector[] {
  const row = rowsTo('client', JSON_SETUP);
  const hello = receive(HELLO);
  const instead = (number: string, name: string, reaction: string, ...steps: readonly TesterStep[]): ConnectionVector =>
    row(number, name, reaction, [hello, ...steps]);
  const answer = (number: string, name: string, reaction: string, ...after: readonly TesterStep[]): ConnectionVector =>
    row(number, name, reaction, [hello, send(OK), { receiveFrame: 1 }, ...after]);
  const delivered = (number: string, name: string, bytes: Buffer): ConnectionVector =>
    answer(number, name, 'delivered', send(bytes), SEES_CLOSE);
  const uncertain = (number: string, name: string, bytes: Buffer): ConnectionVector =>
    answer(number, name, 'fail, may have run', send(bytes), SEES_CLOSE);
  const session = (number: string, name: string, reaction: string, ...steps: readonly TesterStep[]): ConnectionVector =>
    row(number, name, reaction, [hello, send(OK), { receiveFrame: 1 }, send(receipt()), ...steps], {
      ...JSON_SETUP,
      waits: true,
      stdin: hex(Buffer.from('draft\n')),
    });
  const exit = frame(5, Buffer.of(3));
  return [
    instead('C1', 'an end instead of a host hello', 'retry', END),
    instead('C2', 'a reset instead of a host hello', 'retry', { reset: true }),
    instead('C3', 'half of a host hello, then an end', 'retry', send(OK.subarray(0, 6)), END),
    instead('C4', 'another first byte', 'fail', send(Buffer.from('H')), SEES_CLOSE),
    instead('C5', 'another magic', 'fail', send(Buffer.from('f553534c0d0a1a0b01000000', 'hex')), SEES_CLOSE),
    ...[1, 2, 3, 4, 5, 6, 7].map((status) =>
      instead('C6', `status ${status}`, 'fail', send(hostHello(status)), SEES_CLOSE),
    ),
    instead('C7', 'an unknown status', 'fail', send(hostHello(99)), SEES_CLOSE),
    instead('C8', 'status 0 with version 2', 'fail', send(hostHello(0, { version: 2 })), SEES_CLOSE),
    instead(
      'C9',
      'unknown feature bits',
      'delivered',
      send(hostHello(0, { features: 0xff })),
      { receiveFrame: 1 },
      send(receipt()),
      SEES_CLOSE,
    ),
    instead('C10', 'refusal 5 together with the host hello', 'retry', send(OK, refusal(5))),
    instead('C11', 'a reserved byte other than 0', 'fail', send(hostHello(0, { reserved: 1 })), SEES_CLOSE),
    instead('C12', 'its own hello', 'fail', send(HELLO), SEES_CLOSE),
    instead(
      'C13',
      'frames that are skipped together with the host hello',
      'delivered',
      send(OK, SKIPPED),
      { receiveFrame: 1 },
      send(receipt()),
      SEES_CLOSE,
    ),
    delivered('C20', 'a receipt', receipt()),
    delivered('C21', 'frames that are skipped, then a receipt', Buffer.concat([SKIPPED, receipt()])),
    delivered('C22', 'a receipt with an unknown field', receipt({ fields: [field(99, 'x')] })),
    answer('C23', 'refusal 5', 'retry', send(refusal(5)), SEES_CLOSE),
    ...[1, 2, 3, 4].map((reason) => answer('C24', `refusal ${reason}`, 'fail', send(refusal(reason)), SEES_CLOSE)),
    answer('C25', 'refusal 3 with a message', 'fail', send(refusal(3, [field(1, 'Expected a launch.')])), SEES_CLOSE),
    ...[6, 7, 99].map((reason) => uncertain('C26', `refusal ${reason} to a launch`, refusal(reason))),
    answer('C27', 'an end instead of the receipt', 'fail, may have run', END),
    uncertain('C28', 'a frame of an unknown kind below 128', frame(16)),
    uncertain('C29', 'a receipt with an unknown outcome', receipt({ outcome: 4 })),
    uncertain('C30', 'a receipt with client 0', receipt({ client: 0 })),
    uncertain('C31', 'a receipt of 16 bytes', frame(2, receipt().subarray(5, 21))),
    uncertain('C32', 'a receipt whose field is incomplete', receipt({ fields: [Buffer.of(2, 0, 9)] })),
    uncertain('C33', 'a length of 0 from a host', u32(0)),
    session(
      'C40',
      'stdout, stderr, exit',
      'exit status 3',
      send(frame(6, Buffer.from('out')), frame(7, Buffer.from('err')), exit),
      SEES_CLOSE,
    ),
    session('C41', 'a reply', 'exit status 0', send(frame(4, Buffer.from('{"bytes":6}'))), SEES_CLOSE),
    session('C42', 'frames that are skipped, then exit', 'exit status 3', send(SKIPPED, exit), SEES_CLOSE),
    session(
      'C43',
      'credit in small parts',
      'exit status 3',
      send(frame(9, u32(3))),
      { receiveFrame: 8, body: hex(Buffer.from('dra')) },
      send(frame(9, u32(1))),
      { receiveFrame: 8, body: hex(Buffer.from('f')) },
      send(exit),
      SEES_CLOSE,
    ),
    session('C44', 'an end without a result', 'fail, may have run', END),
    session('C45', 'refusal 6 in a session', 'fail, may have run', send(refusal(6)), SEES_CLOSE),
    session('C45', 'refusal 7 in a session', 'fail, may have run', send(refusal(7)), SEES_CLOSE),
    session('C46', 'a second receipt', 'fail, may have run', send(receipt()), SEES_CLOSE),
    session('C46', 'stdin from a host', 'fail, may have run', send(frame(8)), SEES_CLOSE),
    session(
      'C46',
      'a frame of an unknown kind below 128, in a session of a client',
      'fail, may have run',
      send(frame(16)),
      SEES_CLOSE,
    ),
    session('C47', 'a window update of 3 bytes', 'fail, may have run', send(frame(9, Buffer.alloc(3))), SEES_CLOSE),
    session('C47', 'an exit of 2 bytes', 'fail, may have run', send(frame(5, Buffer.alloc(2))), SEES_CLOSE),
    row(
      'C50',
      'a second handshake message with another tag',
      'fail',
      [{ secure: 'host', alter: 'tag' }, SEES_CLOSE],
      SECRET_SETUP,
    ),
    row(
      'C51',
      'a feature bit that is not in the second handshake message',
      'fail',
      [{ secure: 'host', alter: 'features' }, SEES_CLOSE],
      SECRET_SETUP,
    ),
  ];
}

function toLegacyClient(): readonly ConnectionVector[] {
  const row = rowsTo('client', LEGACY_SETUP);
  const message = receive(Buffer.from('open\0'));
  return [
    row('C61', 'an end after the legacy message', 'delivered, unconfirmed', [message, SEES_END, END]),
    row('C62', 'the structured protocol, to a legacy client', 'fail', [message, send(OK), SEES_CLOSE]),
    row('C63', 'another program, to a legacy client', 'fail', [message, send(Buffer.from('H')), SEES_CLOSE]),
    row('C64', 'a reset after a short legacy message', 'retry', [message, { reset: true }]),
  ];
}
