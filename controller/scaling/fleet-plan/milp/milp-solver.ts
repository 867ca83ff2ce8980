/** A mixed-integer program: minimise cost × x with rowLower ≤ A x ≤ rowUpper and lower ≤ x ≤ upper; A by rows. */
export interface Milp {
  readonly costs: readonly number[];
  readonly lower: readonly number[];
  readonly upper: readonly number[];
  /** True for variables that must be whole numbers. */
  readonly whole: readonly boolean[];
  readonly rowLower: readonly number[];
  readonly rowUpper: readonly number[];
  /** Start of each row in `columns` and `values`, and the end of the last. */
  readonly rowStarts: readonly number[];
  readonly columns: readonly number[];
  readonly values: readonly number[];
}

export interface MilpLimits {
  /** Gap to the bound that is good enough, as a share. */
  readonly relativeGap: number;
  /** Limit of the simplex iterations in all: work, not time, so that the same program gets the same answer on a busy machine. */
  readonly maxIterations: number;
}

/** Values of some variables, all that have to be whole among them, of a solution that is known. */
export interface MilpStart {
  readonly variables: readonly number[];
  readonly values: readonly number[];
}

export type MilpAnswer =
  | {
      /** optimal: within the gap; limit: the best found within the limit. */
      readonly status: "optimal" | "limit";
      readonly values: readonly number[];
      /** Lower bound: no solution costs less. */
      readonly bound: number;
    }
  | {
      readonly status: "none";
      readonly reason: string;
      /** Lower bound, where at least that was found. */
      readonly bound: number | null;
    };

/** Solves mixed-integer programs. Expected failures are answers: it never throws. */
export interface MilpSolver {
  solve(problem: Milp, limits: MilpLimits, start?: MilpStart): MilpAnswer;
}
