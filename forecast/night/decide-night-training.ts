import type { RecordWindows } from "./count-windows.ts";

/** What is known when it is asked whether to train. Times in the device's own clock. */
export interface TrainingSituation {
  readonly enabled: boolean;
  /** Minutes since local midnight. */
  readonly minuteOfDay: number;
  /** Like "01:00-05:00"; the end may lie after midnight. */
  readonly window: string;
  readonly nowMs: number;
  readonly running: boolean;
  /** Whether requests wait for this device. */
  readonly busy: boolean;
  /** When the last training ended, however it ended; null before the first. */
  readonly lastEndedMs: number | null;
  readonly recordedMinutes: number;
  readonly neededMinutes: number;
  /** What the record has for a training that would begin anew; null: not counted, or one goes on from where it was left. */
  readonly windows: RecordWindows | null;
}

export interface TrainingDecision {
  /** start; go-on: one runs and may; rest: one runs and holds still; stop: one runs and must end; wait: none runs. */
  readonly kind: "start" | "go-on" | "rest" | "stop" | "wait";
  readonly reason: string;
}

/** So long after a training no other one starts: one a night. */
const restMs = 12 * 3_600_000;

function parseWindow(window: string): { readonly from: number; readonly to: number } {
  const [from, to] = window.split("-").map((time) => {
    const [hours, minutes] = time.split(":").map(Number);
    return (hours as number) * 60 + (minutes as number);
  });
  return { from: from as number, to: to as number };
}

/** Whether a minute of the day lies in a window; one that ends when it begins is the whole day. */
export function isWithin(window: string, minuteOfDay: number): boolean {
  const { from, to } = parseWindow(window);
  if (from === to) return true;
  return from < to ? minuteOfDay >= from && minuteOfDay < to : minuteOfDay >= from || minuteOfDay < to;
}

function describeWindow(window: string): string {
  const { from, to } = parseWindow(window);
  return from === to ? "at any hour" : `within the window ${window}`;
}

/** Whether a device trains now: within its window, once a night, with enough record, and never at its requests' expense. */
export function decideNightTraining(situation: TrainingSituation): TrainingDecision {
  const { enabled, minuteOfDay, window, nowMs, running, busy, lastEndedMs, recordedMinutes, neededMinutes } = situation;
  const { windows } = situation;
  if (!enabled) return { kind: running ? "stop" : "wait", reason: "training on the device is off" };
  if (!isWithin(window, minuteOfDay)) {
    return running
      ? { kind: "stop", reason: `the window ${window} is over: it goes on in the next one` }
      : { kind: "wait", reason: `outside the window ${window}` };
  }
  if (running) {
    return busy ? { kind: "rest", reason: "requests wait" } : { kind: "go-on", reason: describeWindow(window) };
  }
  // A clock set back must not hold training up for longer than a night.
  if (lastEndedMs !== null && Math.abs(nowMs - lastEndedMs) < restMs) {
    return { kind: "wait", reason: "this night's training is done" };
  }
  if (recordedMinutes < neededMinutes) {
    return { kind: "wait", reason: `${recordedMinutes} of ${neededMinutes} minutes recorded` };
  }
  if (windows !== null) {
    const parts = [windows.train, windows.validation, windows.test];
    if (parts.some(({ found, needed }) => found < needed)) {
      const [has, needs] = (["found", "needed"] as const).map((key) => parts.map((part) => part[key]).join(" + "));
      return {
        kind: "wait",
        reason: `too little record without gaps: has ${has} windows to train, validate and test, needs ${needs}`,
      };
    }
  }
  if (busy) return { kind: "wait", reason: "requests wait" };
  return { kind: "start", reason: `${recordedMinutes} minutes recorded, ${describeWindow(window)}` };
}
