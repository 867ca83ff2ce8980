import type { Signal } from "@preact/signals";
import { serverNowMs, timeText } from "#platform/page/time-zone.ts";

/** Longest time of an order, minutes. */
const maxMinutes = 30 * 1_440;

interface TimeFieldProps {
  readonly minutes: Signal<string>;
  /** True: an empty field means that it has no end. */
  readonly isOptional?: boolean;
}

/** Reads the field's seconds; null: it has no end. @throws Error with what is expected */
export function secondsOf(minutes: string, isOptional = false): number | null {
  if (minutes.trim() === "" && isOptional) return null;
  const value = Number(minutes);
  if (minutes.trim() === "" || !Number.isFinite(value) || value <= 0 || value > maxMinutes)
    throw new Error(`minutes: expected a number above 0, at most ${maxMinutes}, got "${minutes}"`);
  return Math.max(1, Math.round(value * 60));
}

function endText(minutes: string, isOptional: boolean): string {
  try {
    const seconds = secondsOf(minutes, isOptional);
    return seconds === null ? "until it is ended" : `until ${timeText(serverNowMs() + seconds * 1_000, "day")}`;
  } catch {
    return "";
  }
}

/** Field for how long an order holds, with the time at which it ends. */
export function TimeField({ minutes, isOptional = false }: TimeFieldProps) {
  return (
    <label>
      For how many minutes{isOptional ? " (empty: until it is ended)" : ""}
      <input
        name="minutes"
        inputMode="decimal"
        required={!isOptional}
        value={minutes.value}
        onInput={(event) => {
          minutes.value = event.currentTarget.value;
        }}
      />
      <span class="muted">{endText(minutes.value, isOptional)}</span>
    </label>
  );
}
