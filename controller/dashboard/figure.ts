import { type Static, Type } from "@sinclair/typebox";
import { orNull } from "#platform/schema-parts.ts";

/** Figures of the fleet, with their units. Rates are of the newest whole minute, latencies of the newest five. */
export const figureUnits = {
  serving: "agents",
  standby: "agents",
  draining: "agents",
  offline: "agents",
  needed: "agents",
  textsPerS: "texts/s",
  requestsPerS: "requests/s",
  capacityTextsPerS: "texts/s",
  forecastPeakTextsPerS: "texts/s",
  forecastPeak95TextsPerS: "texts/s",
  queuedTexts: "texts",
  p95Ms: "ms",
  p95TargetMs: "ms",
  refusedQueuePerS: "requests/s",
  refusedDeadlinePerS: "requests/s",
  refusedErrorPerS: "requests/s",
  refusedRateLimitPerS: "requests/s",
  refusedStandbyPerS: "requests/s",
  watts: "W",
  maxTemperatureC: "°C",
  usdPerHour: "US$/h",
  alertsFiring: "alerts",
} as const;

export type FigureName = keyof typeof figureUnits;

export const Figure = Type.Object({
  value: orNull(Type.Number(), "null: unknown, which is not 0"),
  unit: Type.String(),
  asOfMs: orNull(Type.Number(), "time of the figure, by the controller's clock; null: none"),
  stale: Type.Boolean({ description: "true: too old to count as current" }),
  note: orNull(Type.String(), "what is missing from it, for people to read; null: nothing"),
});
export type Figure = Readonly<Static<typeof Figure>>;

export type Figures = Readonly<Record<FigureName, Figure>>;

export const FiguresSchema = Type.Unsafe<Figures>(
  Type.Object(Object.fromEntries(Object.keys(figureUnits).map((name) => [name, Figure])), {
    description: "figures of the fleet with unit, time and whether they are stale",
  }),
);

/** Times by which a figure is judged. */
export interface FigureTimes {
  readonly nowMs: number;
  /** Age from which it is stale. */
  readonly maxAgeMs: number;
  /** True while nothing is heard from agents. */
  readonly isCutOff: boolean;
}

/** Figure with its unit, stale where it is old; an unknown one has no time. */
export function figureOf(
  name: FigureName,
  value: number | null,
  asOfMs: number | null,
  { nowMs, maxAgeMs, isCutOff }: FigureTimes,
  note: string | null = null,
): Figure {
  const unit = figureUnits[name];
  if (value === null || !Number.isFinite(value)) return { value: null, unit, asOfMs: null, stale: false, note };
  const stale = isCutOff || (asOfMs !== null && nowMs - asOfMs > maxAgeMs);
  return { value, unit, asOfMs, stale, note };
}
