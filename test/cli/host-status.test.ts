import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { isHeld } from '../../src/cli/host-status.ts';
import { tcp } from '../../src/index.ts';
import { startForeignServer } from '../helpers/program.ts';

const held = (port: number): Promise<boolean> => isHeld({ transport: tcp({ port }), deliveryTimeout: 300 });

describe('isHeld()', () => {
  test.each([
    ['ends', (socket: Socket) => void socket.end()],
    ['destroys', (socket: Socket) => void socket.destroy()],
  ])('rejects for another program that %s each connection without an answer', async (_, close) => {
    const { port } = await startForeignServer(close);
    await expect(held(port)).rejects.toMatchObject({
      code: 'ERR_SINGLETON_FOREIGN_HOST',
      message: expect.stringContaining('it closes each connection without an answer'),
    });
  });

  test.each([
    [
      'closes a connection after it has read, as a Python host',
      (socket: Socket) => socket.once('data', () => socket.end()),
    ],
    ['resets each connection, as a host that has too many', (socket: Socket) => socket.resetAndDestroy()],
  ])('is true for what %s', async (_, close) => {
    const { port } = await startForeignServer((socket) => void close(socket));
    expect(await held(port)).toBe(true);
  });
});
