import { expect, test } from 'vitest';
import { heldAnswer, startStub } from '../helpers/etcd-stub.ts';
import { run } from '../helpers/program.ts';

test('etcdStore() loads HTTP at its first request, and neither that nor a watch keeps a process alive', async () => {
  const stub = await startStub(({ path }) =>
    path === '/v3/watch' ? (response) => void response.write('{"result":{"created":true}}\n') : heldAnswer('a', '5'),
  );
  const library = new URL('../../dist/transports/etcd.js', import.meta.url).href;
  const code = `
    import { etcdStore } from '${library}';
    const isLoaded = (name) => process.moduleLoadList.includes('NativeModule ' + name);
    const store = etcdStore({ endpoints: ['${stub.endpoint}'], key: 'key' });
    const before = isLoaded('http');
    const { token } = await store.read({ signal: new AbortController().signal });
    console.log(JSON.stringify({ event: 'read', token, before, http: isLoaded('http'), https: isLoaded('https') }));
    store.watch(() => {});
    // The process ends when this one has, while the watch goes on.
    await store.read({ signal: new AbortController().signal });
  `;
  const program = run(process.execPath, ['--input-type=module', '--eval', code]);
  expect(await program.line('read')).toMatchObject({ token: 5, before: false, http: true, https: false });
  expect((await program.exited()).code).toBe(0);
});
