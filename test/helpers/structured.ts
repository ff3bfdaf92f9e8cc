import { expect } from 'vitest';
import type { AppConfig } from '../fixtures/app.js';
import { startHost, launch, type Line, type Program } from './program.ts';

/** The secret of both sides, which no other program may see. */
export const secret = 'correct-horse-battery-staple';
/** An argument that no other program may see. */
export const SECRET_ARG = 'the-quiet-part';
/** Short enough to wait for, and not the default. */
export const deliveryTimeout = 1000;

/** A configuration of both sides: over msgpack, on this port, with these further options. */
export type Configure = (port: number, more?: AppConfig['options']) => AppConfig;

export const secured: Configure = (port, more = {}) => ({ codec: 'msgpack', options: { port, secret, ...more } });
export const open: Configure = (port, more = {}) => ({ codec: 'msgpack', options: { port, ...more } });

/** Starts a host with this configuration and returns it once it is listening. */
export function startHostWith({ options, ...more }: AppConfig): Promise<Program> {
  return startHost(options, more);
}

/** Starts programs that wait for a line of stdin before they acquire. */
export async function startRacers(count: number, config: AppConfig): Promise<readonly Program[]> {
  const racers = Array.from({ length: count }, (_, index) =>
    launch({ ...config, steps: ['wait', 'acquire'] }, `launch ${index}`),
  );
  await Promise.all(racers.map((racer) => racer.line('waiting')));
  return racers;
}

export function exitsOf(programs: readonly Program[]): Promise<unknown[]> {
  return Promise.all(programs.map((program) => program.exited()));
}

/** Checks that the next launch is the first that the host counts. */
export async function expectNext(host: Program, config: AppConfig): Promise<void> {
  expect((await launch(config, 'next').exited()).code).toBe(0);
  expect(await host.line('args')).toMatchObject({ args: ['next'], number: 1 });
}

/** Checks that it was `deliveryTimeout` that expired. */
export function expectExpired({ message }: Line): void {
  expect(message).toContain(`${deliveryTimeout} ms`);
}

export function expectNoSecret(bytes: Buffer): void {
  for (const text of [secret, SECRET_ARG]) expect(bytes.includes(text)).toBe(false);
}
