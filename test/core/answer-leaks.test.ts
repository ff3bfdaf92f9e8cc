import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SingletonError } from '../../src/index.ts';
import { startHostOn, launchWaiting, wires } from '../helpers/answer.ts';
import { portOf } from '../helpers/host.ts';

type Side = 'client' | 'host';

/** A relay between launches and their host that resets both after a number of bytes from one side. */
class Cutter {
  readonly #server = createServer({ noDelay: true }, (client) => this.#join(client));
  readonly #to: number;
  #side: Side = 'client';
  #left = Infinity;

  private constructor(to: number) {
    this.#to = to;
  }

  static async before(to: number): Promise<Cutter> {
    const cutter = new Cutter(to);
    cutter.#server.listen(0, '127.0.0.1');
    onTestFinished(() => void cutter.#server.close());
    await once(cutter.#server, 'listening');
    return cutter;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** The next connection is cut off. */
  cut(side: Side, after: number): void {
    this.#side = side;
    this.#left = after;
  }

  #join(client: Socket): void {
    const host = connect({ port: this.#to, host: '127.0.0.1', noDelay: true });
    const pass = (from: Socket, to: Socket, side: Side): void => {
      from.on('error', () => {}).once('close', () => to.destroy());
      from.on('data', (chunk) => {
        const part = side === this.#side ? chunk.subarray(0, this.#left) : chunk;
        if (side === this.#side) this.#left -= part.length;
        to.write(part);
        if (this.#left > 0) return;
        this.#left = Infinity;
        for (const socket of [client, host]) socket.destroy();
      });
    };
    pass(client, host, 'client');
    pass(host, client, 'host');
  }
}

/** How many of what keeps this process busy there are. */
function count(kind: string): number {
  return process.getActiveResourcesInfo().filter((one) => one === kind).length;
}

/** Where to cut: at the end of each message of the session below, and one byte before it. */
const CUTS: Readonly<Record<Side, readonly number[]>> = {
  client: [1, 12, 16, 23, 64, 71, 80, 110, 150, 180, 200, 230],
  host: [1, 8, 12, 34, 43, 45, 60, 61, 66, 82, 90, 100, 120],
};

describe.each(wires)('a session over $name', (wire) => {
  it.each(['client', 'host'] as const)(
    'ends in a result or an error with a code, and leaves no socket, when it is cut after any number of bytes of the %s',
    async (side) => {
      const { app } = await startHostOn(wire);
      const cutter = await Cutter.before(portOf(app));
      app.on('args', async (_, client) => {
        client.stdout.write('some output');
        await client.stdin.toArray().catch(() => []);
        client.stderr.write('and more');
        client.exit(5);
      });
      const timers = count('Timeout');
      const codes = new Set<unknown>();
      for (const after of CUTS[side]) {
        cutter.cut(side, after);
        // If it may be tried again, it is delivered.
        const { result } = launchWaiting(app, wire, { port: cutter.port, stdin: 'x'.repeat(50) });
        const ended = await result;
        codes.add(ended instanceof SingletonError ? ended.code : Object(ended).exitCode);
      }
      expect(codes.has(5)).toBe(true);
      codes.delete(5);
      expect([...codes]).toEqual(['ERR_SINGLETON_CONNECTION_FAILED']);
      while (count('TCPSocketWrap') > 0 || count('Timeout') > timers) await turn();
    },
  );
});
