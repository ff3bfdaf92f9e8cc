import { expect } from 'vitest';
import { resolveOptions } from '../../src/core/options.ts';
import { SingletonError, type SingletonOptions } from '../../src/index.ts';

/** What a JavaScript caller could pass: options that the types forbid. The one cast of these tests. */
export function fromJavaScript(options: unknown): SingletonOptions {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the boundary that this file is for
  return options as SingletonOptions;
}

/** The message that an option is refused with. */
export function refusal(options: unknown): string {
  try {
    resolveOptions(fromJavaScript(options));
  } catch (error) {
    expect(error).toBeInstanceOf(SingletonError);
    expect(error).toMatchObject({ code: 'ERR_SINGLETON_INVALID_OPTION' });
    return error instanceof Error ? error.message : '';
  }
  return 'accepted';
}
