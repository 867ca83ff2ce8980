import { gunzipSync } from "node:zlib";
import { UsageError } from "#platform/errors.ts";
import { decodeText } from "#platform/files/decode-text.ts";
import { findColumns } from "./trace-columns.ts";
import { readTable } from "./trace-table.ts";

/** Limit of a trace's text, unpacked. */
const maxTextBytes = 1024 * 1024 * 1024;

/** Reads the file of a trace, which may be packed by gzip. @param option that named it, for the error @throws UsageError when it can't be read */
export async function readTraceText(path: string, option = "--trace"): Promise<string> {
  const source = `${option} ${path}`;
  try {
    const bytes = await Bun.file(path).bytes();
    const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
    return decodeText(isPacked ? gunzipSync(bytes, { maxOutputLength: maxTextBytes }) : bytes, source);
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`${source} can't be read`, { cause });
  }
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
/** Share of a step by which a line may be early or late: it is taken for the step's. */
const snappedShare = 0.1;

interface Point {
  readonly timeMs: number;
  readonly value: number | null;
  readonly line: number;
}

/** Most common distance of two lines; of distances above ten seconds, whole seconds are compared. */
function mostCommonStep(points: readonly Point[]): number {
  const counts = new Map<number, number>();
  for (let index = 1; index < points.length; index += 1) {
    const distance = (points[index] as Point).timeMs - (points[index - 1] as Point).timeMs;
    const step = distance > 10_000 ? Math.round(distance / 1000) * 1000 : distance;
    counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  let best = 0;
  let bestCount = 0;
  for (const [step, count] of counts) {
    if (count > bestCount || (count === bestCount && step < best)) [best, bestCount] = [step, count];
  }
  return best;
}

/** Most common remainder of the times by the step: where the steps begin. */
function phaseMs(points: readonly Point[], stepMs: number): number {
  const counts = new Map<number, number>();
  for (const { timeMs } of points) counts.set(timeMs % stepMs, (counts.get(timeMs % stepMs) ?? 0) + 1);
  return [...counts].reduce((best, each) => (each[1] > best[1] ? each : best), [0, 0])[0];
}

function readPoints(text: string, name: string, column: string | undefined, note: (text: string) => void): Point[] {
  const { rows, time, value } = findColumns(readTable(text, name), name, column);
  const fields = rows[0]?.cells.length;
  let isZoned: boolean | null = null;
  const points = rows.map(({ line, cells }): Point => {
    const fail = (problem: string): never => {
      throw new UsageError(`${name}, line ${line}: ${problem}, got ${JSON.stringify(cells.join(",").slice(0, 60))}`);
    };
    if (cells.length !== fields) fail(`expected ${fields} fields`);
    const at = time.read(cells[time.index] ?? "");
    if (at === null || at.hasZone === (isZoned === null ? null : !isZoned))
      return fail(
        `expected a timestamp like 1995-07-01T04:00:00Z${at === null ? "" : ", with a zone in every line or in none"}`,
      );
    isZoned = at.hasZone;
    const read = value.read(cells[value.index] ?? "");
    if (read === undefined || (read !== null && !(read >= 0 && Number.isFinite(read))))
      return fail("expected a value of zero or more");
    return { timeMs: at.atMs, value: read, line };
  });
  if (isZoned === false) note(`${name}: its times have no zone and were read as UTC`);
  if (value.doubtful !== null)
    note(`${name}: ${value.doubtful} was read as ${value.read(value.doubtful)}; no line tells thousands from decimals`);
  const gaps = points.filter((point) => point.value === null).length;
  if (gaps > 0)
    note(`${name}: ${gaps} ${gaps === 1 ? "line has" : "lines have"} no value, which counts as a gap, not as zero`);
  return points.toSorted((a, b) => a.timeMs - b.timeMs);
}

/**
 * Parses a trace as Prometheus' users, Grafana, CloudWatch, InfluxDB, pandas and spreadsheets write it: lines of cells, separated by commas,
 * semicolons or tabs, with a time and a value (the events in the step that begins then), in any order. The step is the most common
 * distance; a missing line, and one without a value, is a gap. A line that is early or late by less than a tenth of a step counts as on time.
 * @param options.column column of the values, or series, where there are several
 * @param options.note gets what was assumed, for the user
 * @throws UsageError that names the source and the line.
 */
export function parseTrace(
  text: string,
  name: string,
  { column, note = () => {} }: { readonly column?: string | undefined; readonly note?: (text: string) => void } = {},
): Trace {
  const points = readPoints(text, name, column, note);
  if (points.length < 2) throw new UsageError(`${name}: expected at least two lines of data, got ${points.length}`);
  const stepMs = mostCommonStep(points);
  const twice = points.find(({ timeMs }, index) => timeMs === points[index - 1]?.timeMs);
  if (twice !== undefined) throw new UsageError(`${name}, line ${twice.line}: expected a unique time`);
  const firstMs = (points[0] as Point).timeMs;
  const originMs = phaseMs(points, stepMs);
  const startMs = originMs + Math.round((firstMs - originMs) / stepMs) * stepMs;
  const steps = Math.round(((points.at(-1) as Point).timeMs - startMs) / stepMs) + 1;
  if (steps > maxTraceSteps) {
    throw new UsageError(`${name}: expected at most ${maxTraceSteps} steps, got ${steps} of ${stepMs / 1000} s`);
  }
  const counts = new Array<number | null>(steps).fill(null);
  const filled = new Uint8Array(steps);
  let snapped = 0;
  let maxOffMs = 0;
  for (const { timeMs, value, line } of points) {
    const step = Math.round((timeMs - startMs) / stepMs);
    const offMs = Math.abs(timeMs - startMs - step * stepMs);
    if (offMs > stepMs * snappedShare || filled[step] === 1) {
      throw new UsageError(`${name}, line ${line}: expected a time on the trace's step of ${stepMs / 1000} s`);
    }
    if (offMs > 0) snapped += 1;
    maxOffMs = Math.max(maxOffMs, offMs);
    filled[step] = 1;
    counts[step] = value;
  }
  if (snapped > 0)
    note(
      `${name}: ${snapped} of ${points.length} lines are up to ${maxOffMs} ms off the step of ${stepMs / 1000} s and were moved to it`,
    );
  const missing = steps - points.length;
  if (missing > 0) note(`${name}: ${missing} of ${steps} steps of ${stepMs / 1000} s have no line and count as gaps`);
  return { name, stepMs, startMs, counts };
}
