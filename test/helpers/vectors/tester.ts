import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { readFrame, type RawConnection } from '../wire.ts';
import { clientHello, EMPTY, hostHello } from './bytes.ts';
import type { ConnectionVector, Setup, TesterStep } from './connections.ts';
import { agree, publicOf, traceHandshake } from './noise-trace.ts';

/** Plays the other side of a connection vector, and fails if the tested side does something else. */
export async function play({ steps, setup }: ConnectionVector, connection: RawConnection): Promise<void> {
  for (const step of steps) await playStep(step, setup, connection);
}

async function playStep(step: TesterStep, setup: Setup, connection: RawConnection): Promise<void> {
  if ('send' in step) connection.write(Buffer.from(step.send, 'hex'));
  else if ('receive' in step) await receive(connection, step.receive);
  else if ('receiveFrame' in step) await receiveFrame(connection, step.receiveFrame, step.body);
  else if ('secure' in step)
    await (step.secure === 'client' ? secureAsClient : secureAsHost)(connection, setup, step.alter);
  else if ('end' in step) connection.end();
  else if ('reset' in step) connection.reset();
  else {
    expect((await connection.readToEnd()).toString('hex')).toBe('');
    if (step.sees !== 'close') expect(connection.isReset ? 'reset' : 'end').toBe(step.sees);
  }
}

async function receive(connection: RawConnection, pattern: string): Promise<void> {
  const received = (await connection.read(pattern.length / 2)).toString('hex');
  expect(received).toMatch(new RegExp(`^${pattern}$`));
}

async function receiveFrame(connection: RawConnection, kind: number, body: string | undefined): Promise<void> {
  const frame = await readFrame(connection);
  expect(frame.kind).toBe(kind);
  if (body !== undefined) expect(frame.body.toString('hex')).toMatch(new RegExp(`^${body.replace('*', '.*')}$`));
}

async function secureAsClient(connection: RawConnection, { application, secret }: Setup): Promise<void> {
  const prologue = clientHello({ flags: 1, application });
  const key = randomBytes(32);
  const known = { secret: secret ?? '', prologue, clientPublic: publicOf(key), hostHello: hostHello(0) };
  // The first message does not depend on the host.
  const { first } = traceHandshake({ ...known, hostPublic: EMPTY, dh: EMPTY });
  connection.write(Buffer.concat([prologue, first]));
  expect(await connection.read(12)).toEqual(hostHello(0));
  const second = await connection.read(60);
  const hostPublic = second.subarray(0, 32);
  expect(second).toEqual(traceHandshake({ ...known, hostPublic, dh: agree(key, hostPublic) }).second);
}

async function secureAsHost(
  connection: RawConnection,
  { application, secret }: Setup,
  alter: 'tag' | 'features' | undefined,
): Promise<void> {
  const prologue = clientHello({ flags: 1, application });
  expect(await connection.read(prologue.length)).toEqual(prologue);
  const first = await connection.read(48);
  const key = randomBytes(32);
  const clientPublic = first.subarray(0, 32);
  const trace = traceHandshake({
    secret: secret ?? '',
    prologue,
    clientPublic,
    hostPublic: publicOf(key),
    dh: agree(key, clientPublic),
    hostHello: hostHello(0),
  });
  expect(first).toEqual(trace.first);
  const second = Buffer.from(trace.second);
  if (alter === 'tag') second.writeUInt8(second.readUInt8(59) ^ 1, 59);
  connection.write(Buffer.concat([hostHello(0, { features: alter === 'features' ? 1 : 0 }), second]));
}
