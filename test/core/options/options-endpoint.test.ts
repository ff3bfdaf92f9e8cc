import { describe, expect, it } from 'vitest';
import { resolveOptions } from '../../../src/core/options/resolve-options.ts';
import { tcp } from '../../../src/index.ts';
import { optionErrorMessage } from '../../helpers/javascript-caller.ts';

describe('the options address and port', () => {
  it.each([
    [{}, 'tcp://127.0.0.1:1337'],
    [{ address: undefined, port: undefined }, 'tcp://127.0.0.1:1337'],
    [{ address: '127.0.0.2' }, 'tcp://127.0.0.2:1337'],
    [{ address: '::1', port: 21_337 }, 'tcp://[::1]:21337'],
    [{ address: 'localhost' }, 'tcp://localhost:1337'],
    [{ address: 'fe80::1%eth0' }, 'tcp://[fe80::1%eth0]:1337'],
    [{ port: 0 }, 'tcp://127.0.0.1:0'],
    [{ port: 65_535 }, 'tcp://127.0.0.1:65535'],
  ])('accept %j as the endpoint %s', (options, endpoint) => {
    expect(resolveOptions(options).transport.endpoint).toBe(endpoint);
  });

  it.each([
    [{ address: '' }, 'Option "address": expected an IP address or a host name, got "" (string).'],
    [{ address: ' ' }, 'Option "address": expected an IP address or a host name, got " " (string).'],
    [{ address: 'http://x' }, 'Option "address": expected an IP address or a host name, got "http://x" (string).'],
    [{ address: 1 }, 'Option "address": expected an IP address or a host name, got 1 (number).'],
    [{ address: null }, 'Option "address": expected an IP address or a host name, got null.'],
    [{ port: -1 }, 'Option "port": expected an integer from 0 to 65535, got -1 (number).'],
    [{ port: 65_536 }, 'Option "port": expected an integer from 0 to 65535, got 65536 (number).'],
    [{ port: 1.5 }, 'Option "port": expected an integer from 0 to 65535, got 1.5 (number).'],
    [{ port: '80' }, 'Option "port": expected an integer from 0 to 65535, got "80" (string).'],
    [{ port: null }, 'Option "port": expected an integer from 0 to 65535, got null.'],
  ])('refuse %j', (options, message) => {
    expect(optionErrorMessage(options)).toBe(message);
  });
});

describe('the option transport', () => {
  const transport = tcp({ port: 0 });

  it('keeps the transport that is given', () => {
    expect(resolveOptions({ transport }).transport).toBe(transport);
    expect(resolveOptions({ transport, address: undefined, port: undefined }).transport).toBe(transport);
  });

  it.each([
    ['address', '127.0.0.1', '"127.0.0.1" (string)'],
    ['port', 0, '0 (number)'],
  ])('refuses %s beside it', (name, value, described) => {
    expect(optionErrorMessage({ transport, [name]: value })).toBe(
      `Option "${name}": expected nothing beside transport, which has the ${name}, got ${described}.`,
    );
  });

  it.each([
    [null, 'null'],
    ['tcp', '"tcp" (string)'],
    [{}, 'a value of type object'],
    [{ listen: 5, connect: 5 }, 'a value of type object'],
    [tcp, 'a function'],
  ])('refuses %s', (value, described) => {
    expect(optionErrorMessage({ transport: value })).toBe(
      `Option "transport": expected a transport, such as tcp(), got ${described}.`,
    );
  });
});
