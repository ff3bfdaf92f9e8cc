import { SingletonError } from '../../interface/errors.ts';
import { headLength, sniffForeignProtocol } from './sniff.ts';

/** Ends each part of a legacy message. */
export const NUL = '\0';

/** A part costs its host more than its bytes: a megabyte could hold a million. */
export const MAX_FIELDS = 65_536;

/** The parts, each before a NUL. @throws SingletonError `ERR_SINGLETON_UNENCODABLE` */
export function encode(parts: readonly string[]): Uint8Array {
  if (parts.length > MAX_FIELDS) throw unencodableError(`there are more than ${MAX_FIELDS}`);
  for (const [index, part] of parts.entries()) {
    if (part.includes(NUL)) throw unencodableError(`part ${index} of the message has a NUL, which separates parts`);
    if (!part.isWellFormed())
      throw unencodableError(`part ${index} of the message has a lone surrogate, which is not UTF-8`);
  }
  const bytes = Buffer.from(parts.join(NUL) + NUL);
  const stranger = sniffForeignProtocol(bytes.subarray(0, headLength(bytes)));
  if (stranger !== undefined) throw unencodableError(`they start like ${stranger}, which every host refuses`);
  return bytes;
}

function unencodableError(problem: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_UNENCODABLE',
    `The legacy codec cannot carry these arguments: ${problem}. Change them.`,
  );
}
