// Encoders that are written from docs/protocol.md. They import nothing of src, so that vectors check src.

export const MAGIC = Buffer.from('f553534c0d0a1a0a', 'hex');
export const EMPTY = Buffer.alloc(0);

export interface HelloParts {
  readonly version?: number;
  readonly flags?: number;
  readonly codec?: string;
  readonly application?: string;
}

export function clientHello({ version = 1, flags = 0, codec = 'json', application = 'notes' }: HelloParts): Buffer {
  const [codecBytes, applicationBytes] = [Buffer.from(codec), Buffer.from(application)];
  const head = Buffer.of(version, flags, codecBytes.length, applicationBytes.length);
  return Buffer.concat([MAGIC, head, codecBytes, applicationBytes]);
}

export function hostHello(status: number, { version = 1, reserved = 0, features = 0 } = {}): Buffer {
  return Buffer.concat([MAGIC, Buffer.of(version, status, reserved, features)]);
}

export function u16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 0xff);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

export function f64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}

export function frame(kind: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([u32(1 + body.length), Buffer.of(kind), body]);
}

export function field(key: number, value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.of(key), u16(bytes.length), bytes]);
}

export interface LaunchParts {
  readonly flags?: number;
  readonly pid?: number;
  readonly cwd?: string | Buffer;
  readonly fields?: readonly Buffer[];
  readonly args?: string | Buffer;
}

export function launch({
  flags = 0,
  pid = 4242,
  cwd = '/home/ada',
  fields = [],
  args = ARGS,
}: LaunchParts = {}): Buffer {
  const [path, list] = [Buffer.from(cwd), Buffer.concat(fields)];
  return frame(1, Buffer.of(flags), u32(pid), u16(path.length), path, u32(list.length), list, Buffer.from(args));
}

/** The arguments of the examples, in json. */
export const ARGS = '{"file":"a.txt","line":3}';

export interface ReceiptParts {
  readonly outcome?: number;
  readonly client?: number;
  readonly since?: number;
  readonly fields?: readonly Buffer[];
}

/** 1 January 2026, 00:00 UTC. */
export const SINCE = Date.UTC(2026, 0, 1);
export const HOST_PID = 4711;

export function receipt({ outcome = 1, client = 1, since = SINCE, fields = [] }: ReceiptParts = {}): Buffer {
  return frame(2, Buffer.of(outcome), u32(client), u32(HOST_PID), f64(since), ...fields);
}

export function refusal(reason: number, fields: readonly Buffer[] = []): Buffer {
  return frame(3, Buffer.of(reason), ...fields);
}

export function terminal(stream: number, depth: number, columns: number, rows: number): Buffer {
  return Buffer.concat([Buffer.of(stream, depth), u16(columns), u16(rows)]);
}

export interface StatusParts {
  readonly clients?: number;
  readonly pending?: number;
  readonly sessions?: number;
  readonly fields?: readonly Buffer[];
}

export function statusFrame({ clients = 3, pending = 0, sessions = 1, fields = [] }: StatusParts = {}): Buffer {
  return frame(11, u32(HOST_PID), f64(SINCE), u32(clients), u32(pending), u32(sessions), ...fields);
}
