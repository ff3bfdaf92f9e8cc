import { expect } from 'vitest';
import { resolveOptions } from '../../src/core/options/resolve-options.ts';
import { SingletonError, type SingletonOptions } from '../../src/index.ts';

/** What a JavaScript caller could pass: options that the types forbid. `any` is the boundary that this file is for. */
export function fromJavaScript(options: any): SingletonOptions {
  return options;
}

/** The message that an option is refused with. */
export function optionErrorMessage(options: unknown): string {
  try {
    resolveOptions(fromJavaScript(options));
  } catch (error) {
    expect(error).toBeInstanceOf(SingletonError);
    expect(error).toMatchObject({ code: 'ERR_SINGLETON_INVALID_OPTION' });
    return error instanceof Error ? error.message : '';
  }
  return 'accepted';
}
