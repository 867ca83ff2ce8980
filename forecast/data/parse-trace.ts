import { UsageError } from "#platform/errors.ts";
import { parseTime } from "#platform/parse-time.ts";

/** Reads the file of a trace. @param option that named it, for the error @throws UsageError when it can't be read */
export function readTraceText(path: string, option = "--trace"): Promise<string> {
  return Bun.file(path)
    .text()
    .catch((cause) => {
      throw new UsageError(`${option} ${path} can't be read`, { cause });
    });
}

/** Events counted in equal steps of time. */
export interface Trace {
  readonly name: string;
  readonly stepMs: number;
  readonly startMs: number;
  /** Events in the step that starts at `startMs + index * stepMs`; null where nothing was recorded (a gap is not zero). */
  readonly counts: readonly (number | null)[];
}

/** Longer traces are taken for mistakes in the file. */
const maxTraceSteps = 5_000_000;
const timestampPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

function mostCommonStep(timesMs: readonly number[]): number {
  const counts = new Map<number, number>();
  for (let index = 1; index < timesMs.length; index += 1) {
    const step = (timesMs[index] as number) - (timesMs[index - 1] as number);
    counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  let best = 0;
  let bestCount = 0;
  for (const [step, count] of counts) {
    if (count > bestCount || (count === bestCount && step < best)) [best, bestCount] = [step, count];
  }
  return best;
}

/**
 * Parses a trace: a first line `timestamp,value`, then one line a step, oldest first; timestamps in ISO 8601 with a zone, values the events
 * in the step that starts there. The step is the most common distance; a missing line is a gap.
 * @throws UsageError that names the source and the line.
 */
export function parseTrace(text: string, name: string): Trace {
  const lines = text.split(/\r?\n/);
  if (lines[0]?.trim() !== "timestamp,value") {
    throw new UsageError(`${name}, line 1: expected "timestamp,value", got ${JSON.stringify(lines[0]?.slice(0, 60))}`);
  }
  const timesMs: number[] = [];
  const values: number[] = [];
  const lineNumbers: number[] = [];
  for (let index = 1; index < lines.length; index += 1) {
    const line = (lines[index] as string).trim();
    if (line === "") continue;
    const fail = (problem: string): never => {
      throw new UsageError(`${name}, line ${index + 1}: ${problem}, got ${JSON.stringify(line.slice(0, 60))}`);
    };
    const fields = line.split(",");
    if (fields.length !== 2) fail("expected two fields");
    const [timestamp, valueText] = fields as [string, string];
    const timeMs = (timestampPattern.test(timestamp) ? parseTime(timestamp) : null) ?? Number.NaN;
    if (Number.isNaN(timeMs)) fail("expected a timestamp like 1995-07-01T04:00:00Z");
    const value = valueText.trim() === "" ? Number.NaN : Number(valueText);
    if (!(value >= 0 && Number.isFinite(value))) fail("expected a value of zero or more");
    const previousMs = timesMs.at(-1);
    if (previousMs !== undefined && timeMs <= previousMs) fail("expected a later time than the line before");
    timesMs.push(timeMs);
    values.push(value);
    lineNumbers.push(index + 1);
  }
  if (timesMs.length < 2) throw new UsageError(`${name}: expected at least two lines of data, got ${timesMs.length}`);
  const stepMs = mostCommonStep(timesMs);
  const startMs = timesMs[0] as number;
  const steps = Math.round(((timesMs.at(-1) as number) - startMs) / stepMs) + 1;
  if (steps > maxTraceSteps) {
    throw new UsageError(`${name}: expected at most ${maxTraceSteps} steps, got ${steps} of ${stepMs / 1000} s`);
  }
  const counts = new Array<number | null>(steps).fill(null);
  for (const [index, timeMs] of timesMs.entries()) {
    const step = (timeMs - startMs) / stepMs;
    if (!Number.isInteger(step)) {
      throw new UsageError(
        `${name}, line ${lineNumbers[index]}: expected a time on the trace's step of ${stepMs / 1000} s`,
      );
    }
    counts[step] = values[index] as number;
  }
  return { name, stepMs, startMs, counts };
}
