import { cleanText } from "#platform/clean-text.ts";

/** Length limit of a cell; `--json` has the whole text. */
const maxCellCharacters = 256;

/** Formats columns as wide as their widest cell, two spaces apart. Cells may hold untrusted text: they are cleaned. */
export function formatTable(header: readonly string[], given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map((cell) => cleanText(cell, maxCellCharacters)));
  const widths = header.map((title, column) =>
    rows.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), title.length),
  );
  return [header, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
