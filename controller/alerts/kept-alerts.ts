import { type Static, Type } from "@sinclair/typebox";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import type { Alert } from "./decide-alert.ts";
import { Silence } from "./silence.ts";

const labels = Type.Record(Type.String(), Type.String());

/** Alert, as it is kept and as the API shows it. */
export const AlertSchema = Type.Unsafe<Alert>(
  strictObject({
    ...{ key: Type.String(), rule: Type.String(), labels },
    status: Type.Union([Type.Literal("pending"), Type.Literal("firing"), Type.Literal("resolved")], {
      description: "pending: has not lasted as long as the rule requires; resolved: shown for a day",
    }),
    severity: Type.Union([Type.Literal("info"), Type.Literal("warning"), Type.Literal("critical")]),
    ...{ summary: Type.String(), unit: Type.String(), isBelow: Type.Boolean() },
    ...{ threshold: Type.Number(), value: Type.Number() },
    detail: orNull(Type.String(), "details of the cause; null: unknown"),
    ...{ sinceMs: Type.Number(), firingSinceMs: orNull(Type.Number()), resolvedAtMs: orNull(Type.Number()) },
    readAtMs: Type.Number(),
  }),
);

/** State of the alerts across a restart: what was told is not told again. */
export const KeptAlerts = strictObject({
  alerts: Type.Array(AlertSchema),
  told: Type.Array(
    strictObject({ notifier: Type.String(), key: Type.String(), status: Type.String(), atMs: Type.Number() }),
  ),
  silences: Type.Array(Silence),
});
export type KeptAlerts = Static<typeof KeptAlerts>;
