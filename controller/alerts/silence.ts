import { type Static, Type } from "@sinclair/typebox";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import { bounds } from "#protocol/bounds.ts";
import type { Alert } from "./decide-alert.ts";

const labelName = Type.String({ pattern: "^[a-z][a-z0-9-]{0,31}$", title: "a label such as tenant" });

/** Order that alerts are not told for a while. They are computed and shown anyway. */
export const Silence = strictObject({
  id: Type.String({ minLength: 1, maxLength: 64 }),
  rule: orNull(Type.String({ minLength: 1, maxLength: 64 }), "rule whose alerts are silenced; null: any"),
  labels: Type.Array(strictObject({ name: labelName, value: Type.String({ maxLength: 128 }) }), {
    ...{ maxItems: 8, default: [] },
    description: "labels that an alert must have, e.g. tenant",
  }),
  reason: Type.String({ minLength: 1, maxLength: 512 }),
  by: Type.String({ maxLength: 200 }),
  sinceMs: Type.Number({ minimum: 0, maximum: bounds.timeMs }),
  untilMs: Type.Number({ minimum: 0, maximum: bounds.timeMs }),
});
export type Silence = Static<typeof Silence>;

/** True where one of the silences holds for an alert. */
export function isSilenced(
  alert: Pick<Alert, "rule" | "labels">,
  silences: readonly Silence[],
  nowMs: number,
): boolean {
  return silences.some(
    ({ rule, labels, sinceMs, untilMs }) =>
      sinceMs <= nowMs &&
      nowMs < untilMs &&
      (rule === null || rule === alert.rule) &&
      labels.every(({ name, value }) => alert.labels[name] === value),
  );
}
