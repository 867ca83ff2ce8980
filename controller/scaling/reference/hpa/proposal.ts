/** What one metric asks for. */
export type Proposal =
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "replicas"; readonly replicas: number; readonly ratio: number; readonly reason: string };

export interface Tolerances {
  readonly toleranceUp: number;
  readonly toleranceDown: number;
}

/** Both ends are within; NaN (nothing over nothing) is not. */
export function isWithinTolerance(ratio: number, { toleranceUp, toleranceDown }: Tolerances): boolean {
  return 1 - toleranceDown <= ratio && ratio <= 1 + toleranceUp;
}

/** Rounds a replica count up; never -0. */
export const ceil = (value: number): number => Math.ceil(value) + 0;

export const show = (value: number): string => String(Number(value.toPrecision(4)));

export const failed = (reason: string): Proposal => ({ kind: "failed", reason });

export const propose = (replicas: number, ratio: number, reason: string): Proposal => ({
  kind: "replicas",
  replicas,
  ratio,
  reason,
});
