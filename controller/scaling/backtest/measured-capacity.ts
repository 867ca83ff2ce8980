import { decideCapacityEstimate, type SeenWork, type SpeedEstimate } from "#agent/capacity/decide-capacity-estimate.ts";
import { batchCost } from "#agent/serving/batching/decide-batch.ts";
import type { BacktestFleet } from "./backtest-fleet.ts";
import { scaleCapacity } from "./capacity-error.ts";
import type { MakeWork } from "./simulate-fleet.ts";

const minuteMs = 60_000;
/** Computation after which a capacity counts as measured. */
const provenMs = 60_000;
/** A capacity that has risen or fallen by less is not planned anew for: one that fell costs users, one that rose only money. */
const adoptRiseFrom = 0.03;
const adoptFallFrom = 0.01;

/** Length of all texts. */
const tokensPerText = 32;
/** Texts of a full batch; a device that is hardly used computes each by itself. */
const fullBatch = 8;
/** Fixed cost of a batch in tokens: a quarter more than agents assume, so that a small batch seems slower than a full one. */
const trueOverheadTokens = 50;

/** Returns what agents count in a minute of this use: the less they are used, the smaller their batches, and the longer they take for each text. */
export function workOfMinute(texts: number, utilization: number, isSaturated: boolean): SeenWork {
  const textsPerBatch = isSaturated ? fullBatch : 1 + (fullBatch - 1) * utilization ** 2;
  const batches = texts / textsPerBatch;
  const msPerText = (ofBatch: number) => trueOverheadTokens / ofBatch + tokensPerText;
  const busyMs = Math.min(minuteMs, (minuteMs * utilization * msPerText(textsPerBatch)) / msPerText(fullBatch));
  const cost = batches * batchCost(textsPerBatch, tokensPerText);
  return {
    ...{ texts, tokens: texts * tokensPerText, cost, batches, computedCost: cost, computeMs: busyMs },
    ...{ busyMs, waitingMs: isSaturated ? busyMs : 0, leftMs: isSaturated ? busyMs : 0, boardMs: 0 },
    ...{ windowMs: minuteMs, overloaded: false },
  };
}

/**
 * Capacity as the agents of a replay measure it, by the agents' own decision: each make's speed in multiples of its profile's. It begins with
 * the profile, unproven.
 */
export class MeasuredCapacity {
  readonly #profiled: BacktestFleet;
  readonly #profileTimes: number;
  readonly #estimates: (SpeedEstimate | null)[];
  #adopted: readonly number[];
  #fleet: BacktestFleet;
  /** Makes that were measured, or have no devices. */
  readonly #proven = new Set<number>();

  /** @param profileTimes figures of the profile as a multiple of those that {@link MakeWork} has. */
  constructor(profiled: BacktestFleet, profileTimes: number) {
    this.#profileTimes = profileTimes;
    this.#profiled = profiled;
    this.#estimates = profiled.devices.map(() => ({
      tokensPerS: tokensPerText,
      tokensPerText,
      source: "profile",
      evidenceMs: 0,
    }));
    this.#adopted = profiled.devices.map(() => 1);
    this.#fleet = profiled;
    for (const [make, { count }] of profiled.devices.entries()) if (count === 0) this.#proven.add(make);
  }

  /** The fleet with its measured capacities: the same object until one of them has changed. */
  get fleet(): BacktestFleet {
    return this.#fleet;
  }

  /** Returns true once every make has been measured: until then an unproven profile is no reason to switch a device off. */
  get isProven(): boolean {
    return this.#proven.size === this.#profiled.devices.length;
  }

  /** Records the devices of each type in a minute. */
  observe(work: readonly MakeWork[]): void {
    for (const [make, { servedQps, trueQps, profiledQps, isSaturated }] of work.entries()) {
      if (servedQps <= 0 || profiledQps <= 0) continue;
      // One text is what the profile says is computed in a second.
      const texts = (60 * servedQps) / (profiledQps * this.#profileTimes);
      const { estimate } = decideCapacityEstimate(
        this.#estimates[make] ?? null,
        workOfMinute(texts, Math.min(1, servedQps / trueQps), isSaturated),
      );
      this.#estimates[make] = estimate;
      if ((estimate?.evidenceMs ?? 0) >= provenMs) this.#proven.add(make);
    }
    this.adopt(this.#estimates.map((estimate) => (estimate?.tokensPerS ?? tokensPerText) / tokensPerText));
  }

  /** Takes these factors of the profile by make, if one of them differs noticeably. */
  adopt(factors: readonly number[]): void {
    const isNoise = (change: number) => change <= adoptRiseFrom && change >= -adoptFallFrom;
    if (factors.every((factor, make) => isNoise(factor / (this.#adopted[make] as number) - 1))) return;
    this.#adopted = factors;
    this.#fleet = scaleCapacity(this.#profiled, (make) => factors[make] as number);
  }
}
