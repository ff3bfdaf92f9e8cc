import type { Terminal, Terminals } from '../interface/protocol.ts';
import { malformedError } from '../interface/errors.ts';

const STREAMS = { stdout: 1, stderr: 2 } as const;
const TERMINAL_BYTES = 6;

/**
 * One value for each stream that is a terminal.
 *
 *     stream u8 (1 stdout, 2 stderr) | colour depth u8, bits | columns u16 | rows u16
 */
export function encodeTerminals({ stdout, stderr }: Terminals): readonly Uint8Array[] {
  return [
    ...(stdout ? [encodeTerminal(STREAMS.stdout, stdout)] : []),
    ...(stderr ? [encodeTerminal(STREAMS.stderr, stderr)] : []),
  ];
}

function encodeTerminal(stream: number, { colorDepth, columns, rows }: Terminal): Uint8Array {
  const bytes = Buffer.alloc(TERMINAL_BYTES);
  bytes.writeUInt8(stream, 0);
  bytes.writeUInt8(colorDepth, 1);
  bytes.writeUInt16BE(columns, 2);
  bytes.writeUInt16BE(rows, 4);
  return bytes;
}

/** Other streams are ignored. @throws SingletonError `ERR_SINGLETON_MALFORMED_MESSAGE` */
export function decodeTerminals(values: readonly Uint8Array[]): Terminals {
  const terminals: { -readonly [Stream in keyof Terminals]: Terminals[Stream] } = {};
  for (const { buffer, byteOffset, length } of values) {
    if (length < TERMINAL_BYTES) throw malformedError(`a terminal of ${TERMINAL_BYTES} bytes or more`);
    const bytes = Buffer.from(buffer, byteOffset, length);
    const terminal = { colorDepth: bytes.readUInt8(1), columns: bytes.readUInt16BE(2), rows: bytes.readUInt16BE(4) };
    if (bytes[0] === STREAMS.stdout) terminals.stdout = terminal;
    if (bytes[0] === STREAMS.stderr) terminals.stderr = terminal;
  }
  return terminals;
}
