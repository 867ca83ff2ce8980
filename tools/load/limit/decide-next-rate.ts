export interface JudgedRate {
  readonly rate: number;
  /** Number of times that it was measured; the newest verdict counts. */
  readonly times: number;
  readonly kind: "kept" | "missed" | "late";
}

export interface SearchBounds {
  readonly startRate: number;
  readonly minRate: number;
  readonly maxRate: number;
  /** Ratio of the lowest rate that is not kept and the highest that is, at which the search ends. */
  readonly precision: number;
}

export type NextRate =
  | { readonly kind: "measure"; readonly rate: number }
  /**
   * found: the limit is between `kept` and `missed`; late: this program can send no more; beyond: even the maximum is kept; none: not even the
   * minimum is.
   */
  | {
      readonly kind: "end";
      readonly rule: "found" | "late" | "beyond" | "none";
      readonly kept: number | null;
      readonly missed: number | null;
    };

/** Returns the highest rate that was kept below all that were not, and the lowest that was not. */
export function bracketOf<T extends Pick<JudgedRate, "rate" | "kind">>(
  judged: readonly T[],
): { kept: number | null; missed: T | null } {
  const missed = judged
    .filter(({ kind }) => kind !== "kept")
    .reduce<T | null>((low, each) => (low === null || each.rate < low.rate ? each : low), null);
  const below = judged.filter(({ kind, rate }) => kind === "kept" && rate < (missed?.rate ?? Number.POSITIVE_INFINITY));
  return { kept: below.length === 0 ? null : Math.max(...below.map(({ rate }) => rate)), missed };
}

/**
 * Chooses the next rate: doubles (or halves) until the limit is between two rates, then takes their geometric mean until they are close. The first
 * miss and the one that ends the search are measured a second time, and the next higher one where that shows that it was none: a moment in which the
 * machine did something else must not pass for the limit.
 */
export function decideNextRate(judged: readonly JudgedRate[], bounds: SearchBounds): NextRate {
  const { startRate, minRate, maxRate, precision } = bounds;
  const { kept, missed } = bracketOf(judged);
  if (kept === null && missed === null) return { kind: "measure", rate: startRate };
  if (missed === null) {
    if (kept !== null && kept >= maxRate) return { kind: "end", rule: "beyond", kept, missed: null };
    return { kind: "measure", rate: Math.min(maxRate, 2 * (kept ?? startRate)) };
  }
  const isNarrow = kept !== null ? missed.rate / kept <= precision : missed.rate <= minRate;
  const isFirst = judged.every((each) => each === missed || each.kind === "kept");
  const wasWrong = judged.some(({ kind, rate, times }) => kind === "kept" && rate === kept && times > 1);
  if (missed.times === 1 && (isFirst || isNarrow || wasWrong)) return { kind: "measure", rate: missed.rate };
  if (kept === null) {
    if (missed.rate <= minRate) return { kind: "end", rule: "none", kept, missed: missed.rate };
    return { kind: "measure", rate: Math.max(minRate, missed.rate / 2) };
  }
  if (!isNarrow) return { kind: "measure", rate: Math.sqrt(kept * missed.rate) };
  return { kind: "end", rule: missed.kind === "late" ? "late" : "found", kept, missed: missed.rate };
}
