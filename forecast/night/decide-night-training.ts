import { Type } from "@sinclair/typebox";
import { orNull } from "#platform/config-fields.ts";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";
import { hourMs } from "#platform/time.ts";
import { HourPrices } from "./hour-prices.ts";
import { NightTrainingConfig } from "./night-training-config.ts";
import { RecordWindows } from "./training-record.ts";

const { enabled, window } = NightTrainingConfig.properties;
const Count = Type.Integer({ minimum: 0 });

/** Inputs of {@link decideNightTraining}; times by the device's own clock. */
export const TrainingSituation = Type.Object(
  {
    enabled,
    minuteOfDay: Type.Integer({ minimum: 0, maximum: 1439, description: "minutes since local midnight" }),
    window,
    nowMs: Type.Number(),
    running: Type.Boolean({ default: false }),
    busy: Type.Boolean({ default: false, description: "requests wait for this device" }),
    lastEndedMs: orNull(Type.Number(), "end of the last training, successful or not; null: none"),
    recordedMinutes: Count,
    neededMinutes: { ...Count, default: 7 * 1440 },
    windows: orNull(RecordWindows, "null: not counted, or an interrupted training is resumed"),
    hours: orNull(HourPrices, "null: hourly electricity prices are unknown"),
  },
  { additionalProperties: false },
);
export type TrainingSituation = ReadonlyStatic<typeof TrainingSituation>;

/** `kind` is the action (rest: pause the running training; wait: none runs), `rule` its cause. */
export type TrainingDecision =
  | { readonly kind: "stop" | "wait"; readonly rule: "disabled" }
  | { readonly kind: "stop" | "wait"; readonly rule: "outside-window"; readonly window: string }
  | { readonly kind: "rest" | "wait"; readonly rule: "requests-queued" }
  | { readonly kind: "go-on"; readonly rule: "within-window"; readonly window: string }
  | { readonly kind: "wait"; readonly rule: "trained-recently" }
  | {
      readonly kind: "wait";
      readonly rule: "short-record";
      readonly recordedMinutes: number;
      readonly neededMinutes: number;
    }
  | { readonly kind: "wait"; readonly rule: "too-few-windows"; readonly windows: RecordWindows }
  | {
      readonly kind: "wait";
      readonly rule: "cheaper-hour";
      readonly nowUsdPerKwh: number;
      readonly later: NonNullable<HourPrices["later"]>;
    }
  | { readonly kind: "start"; readonly rule: "due"; readonly recordedMinutes: number; readonly window: string };

/** Time after a training in which no other starts: one a night. */
const restMs = 12 * hourMs;

/** Share by which electricity must be cheaper later for a training to wait. */
const minSaving = 0.1;

/** Start and end of a window like "01:00-05:00", in minutes since midnight. */
export function parseWindow(window: string): { readonly from: number; readonly to: number } {
  const [from, to] = window.split("-").map((time) => {
    const [hours, minutes] = time.split(":").map(Number);
    return (hours as number) * 60 + (minutes as number);
  });
  return { from: from as number, to: to as number };
}

/** Tells if a minute of the day lies in a window; one that ends when it begins is the whole day. */
export function isWithin(window: string | ReturnType<typeof parseWindow>, minuteOfDay: number): boolean {
  const { from, to } = typeof window === "string" ? parseWindow(window) : window;
  return from < to ? minuteOfDay >= from && minuteOfDay < to : minuteOfDay >= from || minuteOfDay < to;
}

/** Cheapest later hour, when it is worth to wait for. */
function worthwhile({ nowUsdPerKwh, later }: HourPrices): HourPrices["later"] {
  if (later === null || later.usdPerKwh >= nowUsdPerKwh) return null;
  return later.usdPerKwh <= nowUsdPerKwh * (1 - minSaving) + 1e-9 ? later : null;
}

/** Starts a training within the window, at a cheap hour of it, once a night, given enough record, and never at the expense of requests. */
export function decideNightTraining(situation: TrainingSituation): TrainingDecision {
  const { enabled, minuteOfDay, window, nowMs, running, busy, lastEndedMs, recordedMinutes, neededMinutes } = situation;
  const { windows, hours } = situation;
  const off = running ? "stop" : "wait";
  if (!enabled) return { kind: off, rule: "disabled" };
  if (!isWithin(window, minuteOfDay)) return { kind: off, rule: "outside-window", window };
  if (running) {
    return busy ? { kind: "rest", rule: "requests-queued" } : { kind: "go-on", rule: "within-window", window };
  }
  // A clock set back must not delay training for longer than a night.
  if (lastEndedMs !== null && Math.abs(nowMs - lastEndedMs) < restMs) return { kind: "wait", rule: "trained-recently" };
  if (recordedMinutes < neededMinutes) return { kind: "wait", rule: "short-record", recordedMinutes, neededMinutes };
  if (windows !== null && Object.values(windows).some(({ found, needed }) => found < needed)) {
    return { kind: "wait", rule: "too-few-windows", windows };
  }
  const later = hours === null ? null : worthwhile(hours);
  if (hours !== null && later !== null) {
    return { kind: "wait", rule: "cheaper-hour", nowUsdPerKwh: hours.nowUsdPerKwh, later };
  }
  if (busy) return { kind: "wait", rule: "requests-queued" };
  return { kind: "start", rule: "due", recordedMinutes, window };
}
