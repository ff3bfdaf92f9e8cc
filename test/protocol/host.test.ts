import { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { json } from '../../src/codecs/json.ts';
import { encodeClientHello, encodeHostHello, STATUS } from '../../src/protocol/hello.ts';
import { readLaunch } from '../helpers/deliver.ts';

const HELLO = encodeClientHello({ isSecured: false, codec: Buffer.from('json'), application: Buffer.alloc(0) });
const options = { secret: undefined, name: '', maxMessageBytes: 1024 };

describe('a host whose client ends without a launch', () => {
  test.each([
    ['in one piece', [HELLO]],
    ['in two pieces', [HELLO.subarray(0, 9), HELLO.subarray(9)]],
    ['byte by byte', Array.from(HELLO, (byte) => Buffer.of(byte))],
  ])('answers the hello and reports the end when both arrive in one tick, %s', async (_, pieces) => {
    const sent: Buffer[] = [];
    const write = (chunk: Buffer, _encoding: string, done: () => void): void => void [sent.push(chunk), done()];
    const connection = new Duplex({ read() {}, write });
    for (const piece of [...pieces, null]) connection.push(piece);
    await expect(readLaunch(json().protocol, connection, options)).rejects.toMatchObject({
      code: 'ERR_SINGLETON_TRUNCATED_MESSAGE',
    });
    expect(Buffer.concat(sent)).toEqual(encodeHostHello(STATUS.ok));
  });
});
