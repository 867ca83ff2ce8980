import type { Milp } from "./milp-solver.ts";

/** A variable times a factor. */
export type Term = readonly [variable: number, factor: number];

/** Collects the variables and rows of a mixed-integer program. */
export interface MilpBuilder {
  /** Adds a variable and returns its place. */
  variable(kind: "whole" | "real", cost: number, upper: number): number;
  /** Adds the row lower ≤ terms ≤ upper; a variable may occur more than once. */
  row(terms: readonly Term[], lower: number, upper: number): void;
  build(): Milp;
}

export function createMilpBuilder(): MilpBuilder {
  const costs: number[] = [];
  const upper: number[] = [];
  const whole: boolean[] = [];
  const rowLower: number[] = [];
  const rowUpper: number[] = [];
  const rowStarts: number[] = [0];
  const columns: number[] = [];
  const values: number[] = [];
  return {
    variable(kind, cost, max) {
      costs.push(cost);
      upper.push(max);
      whole.push(kind === "whole");
      return costs.length - 1;
    },
    row(terms, lower, upperBound) {
      const merged = new Map<number, number>();
      for (const [variable, factor] of terms) merged.set(variable, (merged.get(variable) ?? 0) + factor);
      for (const [variable, factor] of merged) {
        if (factor === 0) continue;
        columns.push(variable);
        values.push(factor);
      }
      rowStarts.push(columns.length);
      rowLower.push(lower);
      rowUpper.push(upperBound);
    },
    build: () => ({
      costs,
      lower: costs.map(() => 0),
      upper,
      whole,
      rowLower,
      rowUpper,
      rowStarts,
      columns,
      values,
    }),
  };
}
