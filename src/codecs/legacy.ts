import type { Codec } from '../interface/codec.ts';
import { invalidOptionError, SingletonError } from '../interface/errors.ts';
import { outbound } from '../protocol/legacy/client.ts';
import { sniffForeignProtocol } from '../protocol/legacy/sniff.ts';
import { tryDecode } from '../protocol/utf8.ts';

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
      inbound: async () => (await import('../protocol/legacy/host.ts')).readLaunch,
      outbound,
    },
    check({ args, secret, name, wait }) {
      if (!Array.isArray(args) || !Array.from(args).every((arg) => typeof arg === 'string')) {
        throw invalidOptionError('args', 'an array of strings (the legacy codec has no other values)', args);
      }
      if (
        secret !== undefined &&
        (tryDecode(secret) === undefined || secret.includes(0) || sniffForeignProtocol(secret))
      ) {
        throw new SingletonError(
          'ERR_SINGLETON_INVALID_OPTION',
          'Option "secret": expected UTF-8 without NUL that does not start like HTTP, TLS or SSH; the legacy codec ' +
            'cannot send another.',
        );
      }
      if (name !== '') throw invalidOptionError('name', 'no name with the legacy codec, which cannot send it', name);
      if (wait) throw invalidOptionError('wait', 'false with the legacy codec, with which a host cannot answer', wait);
      return undefined;
    },
  };
}
