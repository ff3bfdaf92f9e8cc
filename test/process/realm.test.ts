import { describe, expect, it } from 'vitest';
import { fixture, run } from '../helpers/program.ts';

describe('the package', () => {
  it('works in a realm of its own, with bytes, signals and errors of another', async () => {
    const program = run(process.execPath, ['--experimental-vm-modules', '--no-warnings', fixture('realm.js')]);

    expect(await program.exited()).toEqual({ code: 0, signal: null });
    expect(program.lines).toEqual([
      { event: 'legacy', args: ['a'] },
      { event: 'receipt', name: 'legacy', outcome: 'unconfirmed' },
      { event: 'release', name: 'legacy', reason: 'aborted' },
      { event: 'json', args: ['a'] },
      { event: 'receipt', name: 'json', outcome: 'delivered', reply: ['a'] },
      { event: 'release', name: 'json', reason: 'aborted' },
      { event: 'msgpack', args: [{ 0: 1 }] },
      { event: 'receipt', name: 'msgpack', outcome: 'delivered', reply: [{ 0: 1 }] },
      { event: 'release', name: 'msgpack', reason: 'aborted' },
      { event: 'text', args: 'a' },
      { event: 'receipt', name: 'text', outcome: 'delivered', reply: 'a' },
      { event: 'release', name: 'text', reason: 'aborted' },
    ]);
  });

  it('works after the program has frozen what the language has', async () => {
    const dist = new URL('../../dist/', import.meta.url).href;
    const code = `
      for (const name of Object.getOwnPropertyNames(globalThis)) {
        const { value } = Object.getOwnPropertyDescriptor(globalThis, name);
        if (/^function [A-Z]\\w*\\(\\) { \\[native code\\] }$/.test(String(value))) Object.freeze(value) && Object.freeze(value.prototype);
      }
      const { Singleton, MultipleSingletonsError, SingletonError } = await import('${dist}index.js');
      const { json } = await import('${dist}codecs/json.js');
      const options = { port: 0, codec: json(), args: 'a', secret: 'a secret of twenty bytes' };
      const app = await Singleton.acquire(options);
      app.on('args', (args, client) => client.reply(args));
      const port = Number(new URL(app.endpoint).port);
      const { reply } = await Singleton.send({ ...options, port, wait: true });
      await app.release();
      const error = new MultipleSingletonsError('', { outcome: 'skipped' });
      console.log(JSON.stringify({ event: 'done', reply, names: [error.name, SingletonError.prototype.name] }));
    `;
    const program = run(process.execPath, ['--input-type=module', '--eval', code]);

    expect(await program.exited()).toEqual({ code: 0, signal: null });
    expect(program.lines).toEqual([
      { event: 'done', reply: 'a', names: ['MultipleSingletonsError', 'SingletonError'] },
    ]);
  });

  it('works after the tests of a program have replaced the timers', async () => {
    const dist = new URL('../../dist/', import.meta.url).href;
    const code = `
      const { Singleton } = await import('${dist}index.js');
      const { json } = await import('${dist}codecs/json.js');
      globalThis.setTimeout = globalThis.setImmediate = () => ({ ref() {}, unref() {} });
      globalThis.clearTimeout = globalThis.clearImmediate = () => {};
      const options = { port: 0, codec: json(), args: 'a', secret: 'a secret of twenty bytes' };
      const app = await Singleton.acquire(options);
      app.on('args', () => {});
      const port = Number(new URL(app.endpoint).port);
      const { exitCode } = await Singleton.send({ ...options, port, wait: true });
      await app.release();
      console.log(JSON.stringify({ event: 'done', exitCode }));
    `;
    const program = run(process.execPath, ['--input-type=module', '--eval', code]);

    expect(await program.exited()).toEqual({ code: 0, signal: null });
    expect(program.lines).toEqual([{ event: 'done', exitCode: 0 }]);
  });
});
