import type { Codec } from '../interface/codec.ts';
import { invalidOptionError, SingletonError } from '../interface/errors.ts';
import { outbound } from '../protocol/legacy/client.ts';
import { sniffForeignProtocol } from '../protocol/legacy/sniff.ts';
import { tryDecode } from '../protocol/utf8.ts';

/**
 * The wire of the Python package Socket_Singleton, byte for byte, and so the one that talks to it:
 *
 *     [secret NUL] argument NUL argument NUL …      UTF-8; complete at end of stream; no answer
 *
 * No arguments and no secret is a single NUL, and so is one empty argument: it arrives as no arguments.
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
        throw invalidOptionError('args', 'an array of strings, which is what the legacy codec carries', args);
      }
      if (
        secret !== undefined &&
        (tryDecode(secret) === undefined || secret.includes(0) || sniffForeignProtocol(secret))
      ) {
        throw new SingletonError(
          'ERR_SINGLETON_INVALID_OPTION',
          'Option "secret": expected UTF-8 without NUL that does not start like HTTP, TLS or SSH; the legacy codec ' +
            'carries no other.',
        );
      }
      if (name !== '') throw invalidOptionError('name', 'nothing beside the legacy codec, which cannot carry it', name);
      if (wait) throw invalidOptionError('wait', 'false beside the legacy codec, on which no host can answer', wait);
      return undefined;
    },
  };
}
