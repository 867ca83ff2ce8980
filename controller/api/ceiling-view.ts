import { Type } from "@sinclair/typebox";
import { orNull } from "#platform/schema-parts.ts";
import type { Ceiling } from "../access/decide-ceilings.ts";

const perMinute = (what: string) => orNull(Type.Number(), `${what} per minute on all agents together; null: no limit`);

/** Limits that a budget puts on its tenant, as they are shown. */
export const CeilingView = Type.Object({
  budget: Type.String(),
  limitPercent: Type.Number({ description: "share of the mean of the preceding 24 hours" }),
  requests: perMinute("requests"),
  tokens: perMinute("tokens"),
  ...{ sinceMs: Type.Number(), untilMs: Type.Number({ description: "end of the budget's period" }) },
});
export type ShownCeiling = typeof CeilingView.static;

export function shownCeiling({ budget, limitPercent, limits, startMs, endMs }: Ceiling): ShownCeiling {
  return { budget, limitPercent, ...limits, sinceMs: startMs, untilMs: endMs };
}
