import type { Codec, CodecOptions } from '../interface/codec.ts';
import { invalidOptionError, moduleNotLoadedError, SingletonError } from '../interface/errors.ts';
import { askStatus, outbound } from '../protocol/legacy/client.ts';
import { sniffForeignProtocol } from '../protocol/legacy/sniff.ts';
import { tryDecode } from '../interface/bytes.ts';

/**
 * The wire format of the Python package Socket_Singleton, byte for byte; interoperates with it.
 *
 *     [secret NUL] argument NUL argument NUL …      UTF-8, complete at the end of the stream, no answer
 *
 * Without arguments and secret the message is a single NUL. So is one empty argument, which therefore arrives as no
 * arguments.
 */
export function legacy(): Codec<readonly string[], never> {
  return {
    name: 'legacy',
    protocol: {
      inbound: async () => (await import('../protocol/legacy/host.ts').catch(moduleNotLoadedError)).readLaunch,
      outbound,
      status: () => askStatus,
    },
    check(options) {
      const { secret, name, maxMessageBytes, isFirst, allowReplace, reach } = options;
      if (reach === 'network') throw networkError();
      if (secret) checkSecret(secret, maxMessageBytes);
      if (name !== '') throw invalidOptionError('name', 'no name with the legacy codec, which cannot send it', name);
      if (allowReplace) throw notWithLegacy('allowReplace', 'by which no launch can ask for it');
      if (isFirst) checkLaunch(options);
      return undefined;
    },
  };
}

/** Refuses what a launch cannot send. */
function checkLaunch({ args, wait, replace, hasEnv }: CodecOptions): void {
  if (!Array.isArray(args) || !Array.from(args).every((arg) => typeof arg === 'string'))
    throw invalidOptionError('args', 'an array of strings (the legacy codec has no other values)', args);
  if (wait) throw invalidOptionError('wait', 'false with the legacy codec, with which a host cannot answer', wait);
  if (replace) throw notWithLegacy('replace', 'by which no launch can ask for it');
  if (hasEnv) throw notWithLegacy('forwardEnv', 'which sends no variables');
}

/** Refuses a secret with which no launch could be sent. */
function checkSecret(secret: Uint8Array, maxMessageBytes: number): void {
  if (tryDecode(secret) === undefined || secret.includes(0) || sniffForeignProtocol(secret) !== undefined) {
    throw new SingletonError(
      'ERR_SINGLETON_INVALID_OPTION',
      'Option "secret": expected UTF-8 without NUL that does not start like HTTP, TLS or SSH; the legacy codec ' +
        'cannot send another.',
    );
  }
  if (secret.length + 1 > maxMessageBytes) {
    throw new SingletonError(
      'ERR_SINGLETON_INVALID_OPTION',
      `Option "secret": expected fewer than ${maxMessageBytes} bytes (maxMessageBytes), got ${secret.length}; the legacy ` +
        'codec sends it in each message.',
    );
  }
}

function networkError(): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    'Option "codec": expected json() or msgpack() at an endpoint that other machines can reach; the legacy codec sends the secret ' +
      'in clear text, and has no receipts.',
  );
}

function notWithLegacy(name: string, why: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_INVALID_OPTION',
    `Option "${name}": expected it without the legacy codec, ${why}. Use json() or msgpack() as the first codec.`,
  );
}
