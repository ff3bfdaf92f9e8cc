import { SingletonError } from '../../interface/errors.ts';
import { sniffForeignProtocol } from './sniff.ts';

/** Ends each field. */
export const NUL = '\0';

/** Bounds the memory of the host: each field costs more than its bytes, and a megabyte could hold a million. */
export const MAX_FIELDS = 65_536;

/** Encodes the fields, each followed by a NUL. @throws SingletonError `ERR_SINGLETON_UNENCODABLE` */
export function encode(fields: readonly string[]): Uint8Array {
  if (fields.length > MAX_FIELDS) throw unencodableError(`there are more than ${MAX_FIELDS}`);
  for (let index = 0; index < fields.length; index += 1) {
    const field = fields[index] ?? '';
    if (field.includes(NUL)) throw unencodableError(`field ${index} contains a NUL, which separates fields`);
    if (!field.isWellFormed())
      throw unencodableError(`field ${index} contains a lone surrogate, which UTF-8 cannot represent`);
  }
  const bytes = Buffer.from(fields.join(NUL) + NUL);
  const foreignProtocol = sniffForeignProtocol(bytes);
  if (foreignProtocol !== undefined)
    throw unencodableError(`they start like ${foreignProtocol}, which every host rejects`);
  return bytes;
}

function unencodableError(problem: string): SingletonError {
  return new SingletonError(
    'ERR_SINGLETON_UNENCODABLE',
    `The legacy codec cannot encode these arguments: ${problem}. Change them, or use another codec on both sides.`,
  );
}
