import { UsageError } from "#platform/errors.ts";
import {
  compactTime,
  doubtfulNumber,
  type NumberReader,
  numberReader,
  type TimeReader,
  timeReader,
} from "./trace-cells.ts";
import type { TableRow } from "./trace-table.ts";

export interface TraceColumns {
  readonly rows: readonly TableRow[];
  readonly time: { readonly index: number; readonly read: TimeReader };
  readonly value: {
    readonly index: number;
    readonly read: NumberReader;
    /** A cell that may be another number; null: none. */
    readonly doubtful: string | null;
  };
}

const timeName = /^[@_]?(time|timestamp|date|date ?time|ts|zeit|datum)( .*)?$/i;
/** Of a step's two times, when it began and when it ended: a trace's time is the first. */
const endName = /(^|[^a-z])(end|ends|ended|stop|to|until|ende|bis)([^a-z]|$)/i;
const valueName = /^_?value$/i;
/** Columns that number the rows or tables of an export. */
const ordinalName = /^(|index|unnamed: 0|table|result)$/i;
/** Rows by which the kinds of columns are found. */
const sampledRows = 200;
const shownNames = 8;

const listed = (names: readonly string[]) =>
  names
    .slice(0, shownNames)
    .map((name) => JSON.stringify(name))
    .join(", ") + (names.length > shownNames ? ", …" : "");

/** Rows of one series, where text beside the numbers names several. */
function rowsOfSeries(rows: readonly TableRow[], texts: readonly number[], wanted: string | undefined, name: string) {
  const keyOf = ({ cells }: TableRow) => texts.map((index) => cells[index]).join(" ");
  const keys = [...new Set(rows.map(keyOf))];
  const isWanted = (row: TableRow) => keyOf(row) === wanted || texts.some((index) => row.cells[index] === wanted);
  const chosen = wanted === undefined ? [] : rows.filter(isWanted);
  if (chosen.length > 0 && new Set(chosen.map(keyOf)).size === 1) return chosen;
  if (keys.length <= 1) return rows;
  throw new UsageError(`${name} has ${keys.length} series: expected --column with one of ${listed(keys)}`);
}

/**
 * Finds the columns of a trace: the time, and the value of one series.
 * @param wanted name of the value's column, or of the series; undefined: the only one there is
 * @throws UsageError naming the source, with the choice where there is one
 */
export function findColumns(
  table: { readonly delimiter: string; readonly rows: readonly TableRow[] },
  name: string,
  wanted?: string,
): TraceColumns {
  const { rows, delimiter } = table;
  const readMost = timeReader(rows.slice(0, sampledRows).flatMap(({ cells }) => cells));
  const readAny = (cell: string) => readMost(cell) ?? compactTime(cell);
  const first = rows.findIndex(({ cells }) => cells.length > 1 && cells.some((cell) => readAny(cell) !== null));
  const sample = rows[first];
  if (sample === undefined) {
    const line = rows[1] ?? rows[0];
    throw new UsageError(
      `${name}, line ${line?.line ?? 1}: expected a timestamp like 1995-07-01T04:00:00Z and a value, got ${JSON.stringify((line?.cells.join(delimiter) ?? "").slice(0, 60))}`,
    );
  }
  const data = rows.slice(first);
  const head = rows[first - 1]?.cells ?? [];
  const cellsOf = (index: number) => data.slice(0, sampledRows).map(({ cells }) => cells[index] ?? "");
  const indexes = sample.cells.map((_, index) => index);
  const times = indexes.filter((index) => readAny(sample.cells[index] ?? "") !== null);
  const timeIndex =
    times.find((index) => timeName.test(head[index] ?? "")) ??
    times.find((index) => !endName.test(head[index] ?? "")) ??
    (times[0] as number);
  // A line above the first time is a heading; one that begins as a time does is a time that can't be read.
  const faulty = rows.slice(0, first).find(({ cells }) => /^\d/.test(cells[timeIndex] ?? ""));
  if (faulty !== undefined)
    throw new UsageError(
      `${name}, line ${faulty.line}: expected a timestamp like 1995-07-01T04:00:00Z, got ${JSON.stringify(faulty.cells.join(delimiter).slice(0, 60))}`,
    );
  const isNumeric = (index: number) => {
    const read = numberReader(cellsOf(index), delimiter);
    const kinds = cellsOf(index).map((cell) => read(cell));
    return kinds.filter((kind) => kind === undefined).length <= kinds.length / 2;
  };
  const isOrdinal = (index: number) =>
    head.length > 0 && ordinalName.test(head[index] ?? "") && sample.cells.length > 2;
  const others = indexes.filter((index) => index !== timeIndex && !isOrdinal(index));
  const numeric = others.filter(
    (index) => (!times.includes(index) || head.length === 0 || others.length === 1) && isNumeric(index),
  );
  const texts = others.filter((index) => !times.includes(index) && !isNumeric(index));
  const byName = numeric.find((index) => head[index] === wanted);
  const candidates = numeric.length > 0 ? numeric : others.length === 1 ? others : [];
  const valueIndex =
    byName ?? (candidates.length === 1 ? candidates[0] : candidates.find((index) => valueName.test(head[index] ?? "")));
  if (valueIndex === undefined) {
    const names = numeric.map((index) => head[index] ?? `column ${index + 1}`);
    throw new UsageError(
      `${name} has ${names.length === 0 ? "no column of numbers" : `several: expected --column with one of ${listed(names)}`}`,
    );
  }
  const kept = texts.includes(valueIndex)
    ? data
    : rowsOfSeries(data, texts, byName === undefined ? wanted : undefined, name);
  if (
    wanted !== undefined &&
    byName === undefined &&
    kept.length === data.length &&
    !texts.some((index) => sample.cells[index] === wanted)
  )
    throw new UsageError(
      `${name}: expected --column with one of ${listed(numeric.map((index) => head[index] ?? ""))}, got ${JSON.stringify(wanted)}`,
    );
  const values = kept.map(({ cells }) => cells[valueIndex] ?? "");
  return {
    rows: kept,
    time: { index: timeIndex, read: timeReader(data.map(({ cells }) => cells[timeIndex] ?? "")) },
    value: {
      index: valueIndex,
      read: numberReader(values, delimiter),
      doubtful: doubtfulNumber(values, delimiter),
    },
  };
}
