import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { portOf } from './program.ts';

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Bytes of the client that were read. */
  received: number;
  /** Bytes of the client that are held back. */
  held: Buffer[];
}

/**
 * A network of one TCP port, in this process. It loses all packets of both directions while it is cut, so that neither an end nor a
 * reset arrives, and delivers them later, as TCP does. It can hold back the end of what a client sends.
 */
export class Network {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #isCut = false;
  #holdFrom = Infinity;
  #onHeld: (pair: Pair) => void = () => {};
  /** How many bytes a client had sent when the last answer arrived. */
  bytesBeforeAnswer = 0;

  private constructor(upstreamPort: number) {
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#connect(client, upstreamPort));
  }

  static async start(upstreamPort: number, onFinished: (stop: () => void) => unknown): Promise<Network> {
    const network = new Network(upstreamPort);
    onFinished(() => network.#stop());
    network.#server.listen({ port: 0, host: '127.0.0.1', exclusive: true });
    await once(network.#server, 'listening');
    return network;
  }

  get port(): number {
    return portOf(this.#server);
  }

  cut(): void {
    this.#isCut = true;
    for (const pair of this.#pairs) pauseBoth(pair);
  }

  restore(): void {
    this.#isCut = false;
    for (const { client, upstream } of this.#pairs) for (const socket of [client, upstream]) socket.resume();
  }

  /** Holds back what the next connection sends after so many bytes. Resolves when there is some: to a function that sends it. */
  holdNext(count: number): Promise<() => Promise<void>> {
    this.#holdFrom = count;
    return new Promise((resolve) => {
      this.#onHeld = ({ upstream, held }) => resolve(() => writeAll(upstream, held));
    });
  }

  #connect(client: Socket, port: number): void {
    const upstream = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true });
    const pair: Pair = { client, upstream, received: 0, held: [] };
    const holdFrom = this.#holdFrom;
    const onHeld = this.#onHeld;
    this.#holdFrom = Infinity;
    this.#pairs.add(pair);
    client.on('data', (chunk) => {
      const passed = chunk.subarray(0, Math.max(0, holdFrom - pair.received));
      pair.received += chunk.length;
      upstream.write(passed);
      if (passed.length === chunk.length) return;
      pair.held.push(chunk.subarray(passed.length));
      onHeld(pair);
    });
    upstream.on('data', (chunk) => {
      this.bytesBeforeAnswer = pair.received;
      client.write(chunk);
    });
    const directions = [
      [client, upstream],
      [upstream, client],
    ] as const;
    for (const [from, to] of directions) {
      from.on('error', () => {}).once('end', () => to.end());
      from.once('close', () => {
        // A reset: what is lost while the network is cut arrives with the next packet.
        if (from.errored) to.resetAndDestroy();
        else if (!from.readableEnded) to.destroy();
        this.#pairs.delete(pair);
      });
    }
    if (this.#isCut) pauseBoth(pair);
  }

  #stop(): void {
    for (const { client, upstream } of this.#pairs) for (const socket of [client, upstream]) socket.destroy();
    this.#server.close();
  }
}

function pauseBoth({ client, upstream }: Pair): void {
  for (const socket of [client, upstream]) socket.pause();
}

/** Resolves when the system has accepted all. */
async function writeAll(socket: Socket, chunks: readonly Buffer[]): Promise<void> {
  for (const chunk of chunks) await new Promise((resolve) => socket.write(chunk, resolve));
}
