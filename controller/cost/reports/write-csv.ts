import { unsafeCharacters } from "#platform/clean-text.ts";

/** Cell of a table. Texts come from outside; figures are the program's own. */
export type CsvCell = { readonly text: string } | { readonly figure: string };

/** Beginnings that spreadsheets take for a formula. */
const formula = /^[=+\-@\t\r]/;

/** Text without control characters beside tabs and line breaks; one that a spreadsheet would compute begins with an apostrophe. */
function shownText(given: string): string {
  const shown = given.replace(unsafeCharacters, (each) => (/[\t\r\n]/.test(each) ? each : " "));
  return formula.test(given) || formula.test(shown.trimStart()) ? `'${shown}` : shown;
}

/** Writes a cell: quoted where it needs it. */
function cellToText(cell: CsvCell): string {
  const raw = "figure" in cell ? cell.figure : shownText(cell.text);
  return /[",\r\n]/.test(raw) || raw !== raw.trim() ? `"${raw.replaceAll('"', '""')}"` : raw;
}

/** Writes rows of CSV with a line of names before them. */
export function writeCsv(names: readonly string[], rows: Iterable<readonly CsvCell[]>): string {
  const lines = [names.join(",")];
  for (const row of rows) lines.push(row.map(cellToText).join(","));
  return `${lines.join("\r\n")}\r\n`;
}

export const text = (value: string): CsvCell => ({ text: value });
export const figure = (value: string | number): CsvCell => ({ figure: String(value) });
