import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Singleton } from '../../src/index.ts';
import { launch, startHost } from '../helpers/host.ts';

const options = {
  port: 21_337,
  args: ['--open', 'file'],
  client: false,
  strict: false,
  timeout: 1,
  releaseThreshold: 2,
  maxClients: 3,
  verbose: true,
  deliveryTimeout: 4,
  receiveTimeout: 5,
  maxMessageBytes: 6,
  maxConnections: 7,
  maxPending: 8,
};

describe.each([
  ['toString', (app: Singleton) => app.toString()],
  ['String', (app: Singleton) => String(app)],
  ['inspect', (app: Singleton) => inspect(app)],
  ['inspect of an object with it', (app: Singleton) => inspect({ app })],
  ['inspect with everything', (app: Singleton) => inspect(app, { showHidden: true, depth: 9 })],
])('%s of a Singleton', (_, show) => {
  it.each([
    'topsecret',
    new TextEncoder().encode('topsecret'),
    new Uint8Array([0x74, 0x6f, 0x70, 0x73, 0x65, 0x63, 0x72, 0x65, 0x74]),
  ])('masks the secret %o', (secret) => {
    const shown = show(new Singleton({ secret }));
    expect(shown).toContain("secret: '***'");
    expect(shown).not.toMatch(/topsecret|116, *111|74 6f 70|Uint8Array/);
  });

  it('shows that there is no secret', () => {
    expect(show(new Singleton({}))).toContain('secret: undefined');
  });

  it('shows every option', () => {
    const shown = show(new Singleton(options));
    const { port: _port, args: _args, ...rest } = options;
    for (const [name, value] of Object.entries(rest)) expect(shown).toContain(`${name}: ${value}`);
    expect(shown).toContain("endpoint: 'tcp://127.0.0.1:21337'");
    expect(shown).toContain("codec: 'legacy'");
    expect(shown).toContain('--open');
    expect(shown).toContain('signal: undefined');
  });

  it('shows the state', async () => {
    const app = await startHost();
    await launch(app, ['a']);
    await launch(app, []);
    const shown = show(app);
    for (const state of [`endpoint: '${app.endpoint}'`, 'listening: true', 'clients: 2', 'pending: 1']) {
      expect(shown).toContain(state);
    }
    await app.release();
    expect(show(app)).toContain('listening: false');
  });
});

describe('inspect of a Singleton', () => {
  it('starts with the name of the class', () => {
    expect(String(new Singleton({}))).toMatch(/^Singleton \{/);
  });

  it('shows the secret in no other way', () => {
    const app = new Singleton({ secret: 'topsecret' });
    const shown = [JSON.stringify(app), inspect(app, { customInspect: false, showHidden: true, depth: 9 })];
    expect(shown.join('\n')).not.toMatch(/topsecret|116, *111|74 6f 70/);
  });

  it('obeys the options of inspect', () => {
    const app = new Singleton({});
    expect(inspect(app, { compact: true, breakLength: Infinity })).not.toContain('\n');
    expect(inspect(app, { colors: true })).toContain('\u001B[');
  });
});
