import { readFile } from 'node:fs/promises';

/** How many connections to a port of 127.0.0.1 have bytes that their process has not read. */
export async function unreadConnectionsAtPort(port: number): Promise<number> {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = await rowsOf('/proc/net/tcp');
  return rows.filter(
    // The queues of the listening socket, whose state is 0A, count connections.
    ([, address, , state, queues]) => address === local && state !== '0A' && !queues?.endsWith(':00000000'),
  ).length;
}

/** How many connections to a socket wait until they are accepted: state 02. They have the path that was bound. */
export async function connectionsAtPath(path: string): Promise<number> {
  const rows = await rowsOf('/proc/net/unix');
  return rows.filter(([, , , , , state, , bound]) => bound?.startsWith(path) && state === '02').length;
}

async function rowsOf(file: string): Promise<readonly (readonly string[])[]> {
  return (await readFile(file, 'utf8')).split('\n').map((row) => row.trim().split(/\s+/));
}
