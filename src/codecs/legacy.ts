import { SingletonError } from '../core/errors.ts';
import { invalidOption } from '../core/invalid-option.ts';
import { prepare } from '../protocol/one-way.ts';
import type { Codec } from './codec.ts';
import { MAX_PARTS, NUL } from './legacy-parts.ts';
import { headLength, recognizeStranger } from './stranger.ts';
import { tryDecode } from './utf8.ts';

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
      load: async () => (await import('./legacy-receiving.ts')).receive,
      prepare: (launch, terms) => prepare(encode, launch, terms),
    },
    check({ args, secret, name, wait }) {
      if (!Array.isArray(args) || !Array.from(args).every((arg) => typeof arg === 'string')) {
        throw invalidOption('args', 'an array of strings, which is what the legacy codec carries', args);
      }
      if (
        secret !== undefined &&
        (tryDecode(secret) === undefined || secret.includes(0) || recognizeStranger(secret))
      ) {
        throw new SingletonError(
          'ERR_SINGLETON_INVALID_OPTION',
          'Option "secret": expected UTF-8 without NUL that does not start like HTTP, TLS or SSH; the legacy codec ' +
            'carries no other.',
        );
      }
      if (name !== '') throw invalidOption('name', 'nothing beside the legacy codec, which cannot carry it', name);
      if (wait) throw invalidOption('wait', 'false beside the legacy codec, on which no host can answer', wait);
      return undefined;
    },
  };
}

/** The parts, each before a NUL. @throws SingletonError `ERR_SINGLETON_UNENCODABLE` */
export function encode(parts: readonly string[]): Uint8Array {
  if (parts.length > MAX_PARTS) throw unencodable(`there are more than ${MAX_PARTS}`);
  for (const [index, part] of parts.entries()) {
    if (part.includes(NUL)) throw unencodable(`part ${index} of the message has a NUL, which separates parts`);
    if (!part.isWellFormed())
      throw unencodable(`part ${index} of the message has a lone surrogate, which is not UTF-8`);
  }
  const bytes = Buffer.from(parts.join(NUL) + NUL);
  const stranger = recognizeStranger(bytes.subarray(0, headLength(bytes)));
  if (stranger !== undefined) throw unencodable(`they start like ${stranger}, which every host refuses`);
  return bytes;
}

function unencodable(problem: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_UNENCODABLE',
    `The legacy codec cannot carry these arguments: ${problem}. Change them.`,
  );
}
