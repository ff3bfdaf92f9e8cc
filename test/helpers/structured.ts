import { expect } from 'vitest';
import type { AppConfig } from '../fixtures/app.js';
import { hostOf, launch, type Line, type Program } from './program.ts';

/** What both sides have, and what no stranger may see. */
export const secret = 'correct-horse-battery-staple';
/** An argument that no stranger may see. */
export const SECRET_ARG = 'the-quiet-part';
/** Short enough to wait for, and an allowance for a busy machine that is far below the default of 10 s. */
export const deliveryTimeout = 1000;
export const ALLOWANCE = 4000;

/** A configuration of both sides: over msgpack, on this port, with these options beside. */
export type Configure = (port: number, more?: AppConfig['options']) => AppConfig;

export const secured: Configure = (port, more = {}) => ({ codec: 'msgpack', options: { port, secret, ...more } });
export const open: Configure = (port, more = {}) => ({ codec: 'msgpack', options: { port, ...more } });

/** A host of this configuration, when it has the endpoint. */
export function hosted({ options, ...more }: AppConfig): Promise<Program> {
  return hostOf(options, more);
}

/** So many launches that have started, and wait for a word to claim. */
export async function ready(count: number, config: AppConfig): Promise<readonly Program[]> {
  const racers = Array.from({ length: count }, (_, index) =>
    launch({ ...config, steps: ['wait', 'acquire'] }, `launch ${index}`),
  );
  await Promise.all(racers.map((racer) => racer.line('waiting')));
  return racers;
}

export function exitsOf(programs: readonly Program[]): Promise<unknown[]> {
  return Promise.all(programs.map((program) => program.exited()));
}

/** The next launch is the first that the host counts. */
export async function expectNext(host: Program, config: AppConfig): Promise<void> {
  expect((await launch(config, 'next').exited()).code).toBe(0);
  expect(await host.line('args')).toMatchObject({ args: ['next'], number: 1 });
}

export function expectInTime({ ms }: Line): void {
  // Where a further try would be cut short the claim gives up a pause early, 40 ms at most.
  expect(ms).toBeGreaterThan(deliveryTimeout - 100);
  expect(ms).toBeLessThan(deliveryTimeout + ALLOWANCE);
}

export function expectNothingTold(bytes: Buffer): void {
  for (const told of [secret, SECRET_ARG]) expect(bytes.includes(told)).toBe(false);
}
