/** The mode a policy wants, by its place in the list, and why. */
export interface Wish {
  readonly index: number;
  readonly reason: string;
}

/** A rate for people. */
export const qps = (value: number): string => `${Number(value.toPrecision(3))} qps`;
