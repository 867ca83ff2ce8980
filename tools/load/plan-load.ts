export const scenarios = ["sustained", "burst", "stress"] as const;
export type Scenario = (typeof scenarios)[number];

/** Time span with constant load, or with one that changes evenly. */
export interface LoadPhase {
  readonly name?: string;
  readonly durationMs: number;
  /** Requests per second (open loop) or clients (closed loop). */
  readonly level: number;
  /** Requests per second at the end, which are reached evenly (open loop); absent: constant. */
  readonly toLevel?: number;
}

/** Multiples of the level, each for a share of the duration. */
const shapes: Readonly<Record<Scenario, readonly (readonly [multiple: number, share: number])[]>> = {
  sustained: [[1, 1]],
  // Five times: the level, then a burst of four times as much.
  burst: Array.from({ length: 5 }, () => [[1, 0.16] as const, [4, 0.04] as const]).flat(),
  stress: [0.5, 1, 1.5, 2, 3].map((multiple) => [multiple, 0.2] as const),
};

/**
 * Plans the load of a scenario over time.
 * @param level requests per second or clients at the scenario's 1x
 * @param whole true: levels are whole numbers of at least 1 (clients)
 */
export function planLoad(scenario: Scenario, level: number, durationMs: number, whole: boolean): LoadPhase[] {
  return shapes[scenario].map(([multiple, share]) => ({
    durationMs: durationMs * share,
    level: whole ? Math.max(1, Math.ceil(level * multiple)) : level * multiple,
  }));
}
