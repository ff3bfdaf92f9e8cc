/** True only where the two types are the same, `any` and readonly told apart. */
export type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false;

/** Compiles only for `true`. */
export function check<_Truth extends true>(): void {}
