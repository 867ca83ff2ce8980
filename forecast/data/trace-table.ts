import { type CsvError, parse } from "csv-parse/sync";
import { UsageError } from "#platform/errors.ts";

/** Line of a table, with its number in the file. */
export interface TableRow {
  readonly line: number;
  readonly cells: readonly string[];
}

/** Separators of cells, the surest first: a comma may also stand in a number, a semicolon hardly. */
const delimiters = [";", "\t", "|", ","] as const;
/** Lines by which the separator is found. */
const sampledLines = 50;

function split(text: string, delimiter: string, name: string): TableRow[] {
  if (!text.includes('"')) {
    return text.split(/\r\n|\n|\r/).map((line, index) => ({
      line: index + 1,
      cells: line.split(delimiter).map((cell) => cell.trim()),
    }));
  }
  try {
    const rows = parse(text, { delimiter, relaxColumnCount: true, skipEmptyLines: true, info: true, trim: true });
    return (rows as unknown as { record: string[]; info: { lines: number } }[]).map(({ record, info }) => ({
      line: info.lines,
      cells: record,
    }));
  } catch (cause) {
    throw new UsageError(
      `${name}, line ${(cause as CsvError & { lines?: number }).lines ?? "?"}: ${(cause as Error).message}`,
      { cause },
    );
  }
}

/** Lines with content; those that begin with # are remarks (InfluxDB writes its types there). */
const hasContent = ({ cells }: TableRow) => cells.some((cell) => cell !== "") && cells[0]?.startsWith("#") !== true;

/** Reads a text of lines and cells, whatever separates the cells. @throws UsageError naming the source and the line */
export function readTable(
  text: string,
  name: string,
): { readonly delimiter: string; readonly rows: readonly TableRow[] } {
  // Excel's own first line names the separator.
  const named = /^sep=(.)\r?\n/.exec(text)?.[1];
  const rest = named === undefined ? text : text.replace(/^[^\n]*/, "");
  const sample = rest
    .split("\n", sampledLines)
    .join("\n")
    .replace(/"[^"]*$/, (open) => (open.length > 1 ? open : ""));
  const isTable = (delimiter: string) => {
    const rows = sample.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
    return rows.filter((line) => line.replaceAll(/"[^"]*"/g, "").includes(delimiter)).length > rows.length / 2;
  };
  const delimiter = named ?? delimiters.find(isTable) ?? ",";
  return { delimiter, rows: split(rest, delimiter, name).filter(hasContent) };
}
