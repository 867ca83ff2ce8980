import { Type } from "@sinclair/typebox";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { Identifier, TimeMs, text } from "#protocol/bounds.ts";
import { type HoldOff, longestHoldOffMs, noHoldOff, type WatchedChange, watchedForMs } from "./decide-return.ts";

const maxAgents = 20_000;
const ModeChange = strictObject({ agentId: Identifier, mode: text(64) });
const KeptChange = strictObject({
  atMs: TimeMs,
  kind: Type.Union([Type.Literal("scale-in"), Type.Literal("lower-modes"), Type.Literal("policy")]),
  stoodBy: Type.Array(Identifier, { maxItems: maxAgents }),
  modes: Type.Array(ModeChange, { maxItems: maxAgents }),
  burnBefore: Type.Number({ minimum: 0, maximum: 1e15 }),
});

/** Watched changes and the last hold-off, as they are kept across a restart. */
export const KeptChanges = strictObject({
  changes: Type.Array(KeptChange, { maxItems: 1_000 }),
  holdOff: Type.Union([
    strictObject({ untilMs: TimeMs, lengthMs: Type.Number({ minimum: 0, maximum: longestHoldOffMs }) }),
    Type.Null(),
  ]),
});
export type KeptChanges = ReadonlyStatic<typeof KeptChanges>;

/** Writes what is watched; times are whole milliseconds. */
export function toKept(changes: readonly WatchedChange[], { untilMs, lengthMs }: HoldOff): KeptChanges {
  return {
    changes: changes.map((change) => ({ ...change, atMs: Math.round(change.atMs) })),
    holdOff: Number.isFinite(untilMs) ? { untilMs: Math.round(untilMs), lengthMs } : null,
  };
}

/** Reads what still counts at a time: a clock that was set back must not make a hold-off longer than it was. */
export function fromKept(
  { changes, holdOff }: KeptChanges,
  nowMs: number,
): { readonly changes: readonly WatchedChange[]; readonly holdOff: HoldOff } {
  const isBelieved = holdOff !== null && holdOff.untilMs - nowMs <= holdOff.lengthMs;
  return {
    changes: changes.filter(({ atMs }) => Math.abs(nowMs - atMs) <= watchedForMs),
    holdOff: isBelieved ? holdOff : noHoldOff,
  };
}
