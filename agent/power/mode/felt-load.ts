import { Type } from "@sinclair/typebox";
import { SloConfig } from "#agent/slo-config.ts";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";

const strict = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0, default: 0 });
const timeOrNull = (description: string) => Type.Union([Type.Number(), Type.Null()], { default: null, description });

/** Service that users felt of late, and what followed from it so far. */
export const FeltLoad = Type.Object(
  {
    requests: { ...Count, description: "answered in the last seconds" },
    refused: {
      ...Count,
      description: "refused in these seconds because the queue was full or the deadline had passed",
    },
    p95Ms: Type.Union([Type.Number({ minimum: 0 }), Type.Null()], {
      default: null,
      description: "95th percentile latency of the answered ones; null: none",
    }),
    slo: SloConfig,
    missedAtMs: timeOrNull("when the SLO was last missed; null: not yet"),
    stepDown: Type.Union(
      [
        Type.Object(
          { fromModeId: Type.Integer({ minimum: 0 }), atMs: Type.Number() },
          { ...strict, description: "the last step to a less capable mode made to save power" },
        ),
        Type.Null(),
      ],
      { default: null },
    ),
    heldOffUntilMs: timeOrNull(
      "no step down before this time, because the last one missed the SLO; null: no restriction",
    ),
  },
  { ...strict, description: "what users experienced lately; absent: unknown" },
);
export type FeltLoad = ReadonlyStatic<typeof FeltLoad>;

/** Figures of a missed SLO. */
export interface MissedSlo {
  readonly by: "refusals" | "p95";
  readonly requests: number;
  readonly refused: number;
  readonly p95Ms: number | null;
}

/** The p95 of fewer requests is chance. */
const minRequests = 10;

/** Returns how the SLO is missed now; null when it is kept. */
export function missedSlo({
  requests,
  refused,
  p95Ms,
  slo,
}: Pick<FeltLoad, "requests" | "refused" | "p95Ms" | "slo">): MissedSlo | null {
  const figures = { requests, refused, p95Ms };
  if (refused > (1 - slo.availability) * (requests + refused)) return { by: "refusals", ...figures };
  return requests >= minRequests && p95Ms !== null && p95Ms > slo.p95Ms ? { by: "p95", ...figures } : null;
}
