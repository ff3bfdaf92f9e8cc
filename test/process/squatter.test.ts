import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { launch, portOf, startForeignServer } from '../helpers/program.ts';
import { deliveryTimeout, expectExpired, expectNoSecret, open, SECRET_ARG, secured } from '../helpers/structured.ts';

describe.each([
  ['secured', secured],
  ['open', open],
])('acquire() at the endpoint of another program, over a connection that is %s,', (_, config) => {
  const servers: Readonly<Record<string, (socket: Socket) => void>> = {
    'that sends nothing': (socket) => socket.resume(),
    'that accepts and closes': (socket) => socket.resume().end(),
    'that resets': (socket) => void socket.once('data', () => socket.resetAndDestroy()),
    'that echoes': (socket) => void socket.pipe(socket),
    'that sends first': (socket) => socket.resume().write('220 mail.example.org\r\n'),
    'that sends almost the hello of a host': (socket) =>
      socket.resume().write(Buffer.from('f553534c0d0a1a0a01000100', 'hex')),
  };

  test.each(Object.entries(servers))(
    'rejects with its code by the deadline and sends nothing secret to one %s',
    async (name, act) => {
      const received: Buffer[] = [];
      const server = await startForeignServer((socket) => {
        socket.on('data', (chunk) => received.push(chunk));
        act(socket);
      });

      const second = launch(config(server.port, { deliveryTimeout }), SECRET_ARG);

      const rejected = await second.line('rejected');
      const silent = ['that sends nothing', 'that accepts and closes', 'that resets'].includes(name);
      expect(rejected).toMatchObject({
        code: silent ? 'ERR_SINGLETON_HOST_UNRESPONSIVE' : 'ERR_SINGLETON_FOREIGN_HOST',
      });
      if (silent) expectExpired(rejected);
      expect((await second.exited()).code).toBe(1);
      expectNoSecret(Buffer.concat(received));
    },
  );

  test('rejects with FOREIGN_HOST for one that answers HTTP', async () => {
    const server = createHttpServer().listen(0, '127.0.0.1');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    await once(server, 'listening');
    const second = launch(config(portOf(server)), SECRET_ARG);
    expect(await second.line('rejected')).toMatchObject({ code: 'ERR_SINGLETON_FOREIGN_HOST' });
    expect((await second.exited()).code).toBe(1);
  });
});
