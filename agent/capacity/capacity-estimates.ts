import { type Static, Type } from "@sinclair/typebox";
import type { Memory } from "#agent/power/calibration/board-figures.ts";
import { explainMistakes } from "#platform/explain-schema-error.ts";
import { bounds, TimeMs } from "#protocol/bounds.ts";
import { CapacityEstimate } from "#protocol/messages.ts";
import {
  type CapacityDecision,
  confidenceOf,
  decideCapacityEstimate,
  type SeenWork,
  type SpeedEstimate,
} from "./decide-capacity-estimate.ts";
import { MixSpeed, maxMixes } from "./decide-speed-change.ts";
import type { MeasuredCapacity } from "./scale-by-measured.ts";

/** Capacity of a mode as it was known before service: by calibration, or as the board states it. */
export interface StatedCapacity {
  /** Texts per second, above 0. */
  readonly qps: number;
  readonly source: "calibrated" | "profile";
  readonly calibratedAtMs: number | null;
}

const Kept = Type.Object({
  model: CapacityEstimate.properties.model,
  modeName: CapacityEstimate.properties.modeName,
  tokensPerS: Type.Number({ exclusiveMinimum: 0, maximum: bounds.tokens }),
  tokensPerText: Type.Number({ exclusiveMinimum: 0, maximum: bounds.tokens }),
  source: CapacityEstimate.properties.source,
  evidenceMs: Type.Number({ minimum: 0 }),
  /** Absent from files of earlier versions. */
  mixes: Type.Optional(Type.Array(MixSpeed, { maxItems: maxMixes })),
  atMs: TimeMs,
});
type Kept = Static<typeof Kept>;

/** Pairs of model and mode that are remembered. */
const maxEstimates = 64;
const KeptEstimates = Type.Array(Kept, { maxItems: maxEstimates });

/** Length of texts that is assumed before any was seen. */
const usualTokensPerText = 32;
/** Confidence from which on an estimate replaces the figures of the board's profile. */
const minConfidence = 0.5;
/** Change from which on the figures that the agent decides by follow the estimate: they are announced to the fleet. */
const adoptFrom = 0.1;

const keyOf = (model: string, modeName: string | null) => JSON.stringify([model, modeName]);

/** Estimates of the rate that this device carries, by model and power mode; kept from one run to the next. */
export class CapacityEstimates {
  readonly #memory: Memory;
  readonly #nowMs: () => number;
  readonly #stated: (model: string, modeName: string | null) => StatedCapacity | null;
  /** The most recently corrected last. */
  readonly #kept = new Map<string, Kept>();
  /** Texts per second that the agent decides by, by key. */
  readonly #adopted = new Map<string, number>();
  #changed = false;

  /** @param stated capacity that is known without a measurement in service */
  constructor(
    memory: Memory,
    stated: (model: string, modeName: string | null) => StatedCapacity | null,
    nowMs: () => number,
  ) {
    this.#memory = memory;
    this.#stated = stated;
    this.#nowMs = nowMs;
    for (const each of this.#recall()) this.#kept.set(keyOf(each.model, each.modeName), each);
  }

  /**
   * Corrects an estimate by the model's performance in this mode.
   * @param warmUpTokensPerS speed of the model's warm-up; null: unknown
   */
  observe(
    model: string,
    modeName: string | null,
    warmUpTokensPerS: number | null,
    seen: SeenWork,
  ): CapacityDecision["rule"] {
    const { estimate, rule } = decideCapacityEstimate(this.#speed(model, modeName, warmUpTokensPerS), seen);
    const key = keyOf(model, modeName);
    const kept = this.#kept.get(key);
    if (rule === "idle" && kept !== undefined && estimate !== null)
      this.#kept.set(key, { ...kept, evidenceMs: estimate.evidenceMs });
    if (estimate === null || rule === "idle" || !(estimate.tokensPerS > 0)) return rule;
    this.#kept.delete(key);
    const { mixes = [], ...speed } = estimate;
    this.#kept.set(key, { model, modeName, ...speed, mixes: [...mixes], atMs: Math.round(this.#nowMs()) });
    if (this.#kept.size > maxEstimates) this.#forget(this.#kept.keys().next().value as string);
    this.#changed = true;
    return rule;
  }

  /** Returns the present estimate; null when nothing is known. */
  of(model: string, modeName: string | null, warmUpTokensPerS: number | null): CapacityEstimate | null {
    const speed = this.#speed(model, modeName, warmUpTokensPerS);
    if (speed === null) return null;
    const { tokensPerS, tokensPerText, source } = speed;
    return { model, modeName, qps: tokensPerS / tokensPerText, tokensPerText, confidence: confidenceOf(speed), source };
  }

  /** Returns the speed as measured by this run or an earlier one, in tokens per second; null: not measured in any mode. */
  measuredTokensPerS(model: string, modeName: string | null): number | null {
    const kept = this.#kept.get(keyOf(model, modeName));
    if (kept !== undefined && confidenceOf(kept) >= minConfidence) return kept.tokensPerS;
    return this.#likeAnotherMode(model, this.#stated(model, modeName))?.tokensPerS ?? null;
  }

  /**
   * Returns the capacities of a model's modes that were measured with confidence, and that a later calibration does not replace. None exceeds the
   * calibrated rate, which kept a latency that a saturated device does not keep.
   */
  measured(model: string): readonly MeasuredCapacity[] {
    return [...this.#kept].flatMap(([key, each]) => {
      const { modeName, atMs } = each;
      if (each.model !== model || modeName === null || confidenceOf(each) < minConfidence) return [];
      if (this.#isOutdated(each)) return [];
      const stated = this.#stated(model, modeName);
      const maxQps = stated?.source === "calibrated" ? stated.qps : Number.POSITIVE_INFINITY;
      return [{ modeName, qps: this.#adopt(key, Math.min(maxQps, each.tokensPerS / each.tokensPerText)), atMs }];
    });
  }

  /** Keeps what has changed for the next run. */
  save(): void {
    if (!this.#changed) return;
    this.#changed = false;
    this.#memory.save(JSON.stringify([...this.#kept.values()]));
  }

  #forget(key: string): void {
    this.#kept.delete(key);
    this.#adopted.delete(key);
  }

  #adopt(key: string, qps: number): number {
    const before = this.#adopted.get(key);
    if (before !== undefined && Math.abs(qps / before - 1) <= adoptFrom) return before;
    this.#adopted.set(key, qps);
    return qps;
  }

  #speed(model: string, modeName: string | null, warmUpTokensPerS: number | null): SpeedEstimate | null {
    const kept = this.#kept.get(keyOf(model, modeName));
    if (kept !== undefined && !this.#isOutdated(kept)) return kept;
    const stated = this.#stated(model, modeName);
    const tokensPerText = kept?.tokensPerText ?? usualTokensPerText;
    if (stated?.source === "calibrated")
      return { tokensPerS: stated.qps * tokensPerText, tokensPerText, source: "calibrated", evidenceMs: 0 };
    const like = this.#likeAnotherMode(model, stated);
    if (like !== null) return like;
    if (warmUpTokensPerS !== null)
      return { tokensPerS: warmUpTokensPerS, tokensPerText, source: "probe", evidenceMs: 0 };
    if (stated === null) return null;
    return { tokensPerS: stated.qps * tokensPerText, tokensPerText, source: "profile", evidenceMs: 0 };
  }

  /** Returns the speed of the most recently measured mode, scaled by the modes' stated capacities; null: none was measured. */
  #likeAnotherMode(model: string, stated: StatedCapacity | null): SpeedEstimate | null {
    const other = [...this.#kept.values()].findLast(
      (each) => each.model === model && confidenceOf(each) >= minConfidence && !this.#isOutdated(each),
    );
    if (other === undefined) return null;
    const otherStated = this.#stated(model, other.modeName);
    const ratio = stated === null || otherStated === null ? 1 : stated.qps / otherStated.qps;
    return {
      tokensPerS: other.tokensPerS * ratio,
      tokensPerText: other.tokensPerText,
      source: "served",
      evidenceMs: 0,
    };
  }

  #isOutdated({ model, modeName, atMs }: Kept): boolean {
    return (this.#stated(model, modeName)?.calibratedAtMs ?? 0) > atMs;
  }

  #recall(): readonly Kept[] {
    try {
      const content: unknown = JSON.parse(this.#memory.load() ?? "[]");
      return explainMistakes(KeptEstimates, content).length === 0 ? (content as Kept[]) : [];
    } catch {
      return []; // what can't be read is measured again
    }
  }
}
