import { describe, expect, it } from 'vitest';
import { json } from '../../../src/codecs/json.ts';
import { generateSecret, Singleton } from '../../../src/index.ts';
import { portOf } from '../../helpers/host.ts';

describe('generateSecret', () => {
  it('returns 32 bytes as base64url without padding', () => {
    const secret = generateSecret();
    expect(secret).toMatch(/^[\w-]{43}$/);
    const bytes = Buffer.from(secret, 'base64url');
    expect(bytes).toHaveLength(32);
    expect(bytes.toString('base64url')).toBe(secret);
  });

  it('returns another secret each time, in all of its bytes', () => {
    const secrets = Array.from({ length: 200 }, () => generateSecret());
    expect(new Set(secrets).size).toBe(200);
    const bytes = secrets.map((secret) => Buffer.from(secret, 'base64url'));
    for (let at = 0; at < 32; at += 1) expect(new Set(bytes.map((each) => each[at])).size).toBeGreaterThan(50);
  });

  it('returns a secret that causes no warning, with a codec that encrypts and with the legacy one', async () => {
    const warnings: string[] = [];
    const secret = generateSecret();
    await using secured = await Singleton.acquire({ port: 0, codec: json<string>(), args: '', secret });
    await using plain = await Singleton.acquire({ port: 0, secret });
    secured.on('warning', ({ message }) => warnings.push(message));
    plain.on('warning', ({ message }) => warnings.push(message));
    await Singleton.send({ port: portOf(secured), codec: json<string>(), args: 'a', secret });
    await Singleton.send({ port: portOf(plain), args: ['a'], secret });
    expect([secured.arguments, plain.arguments]).toEqual([['a'], [['a']]]);
    expect(warnings).toEqual([]);
  });
});
