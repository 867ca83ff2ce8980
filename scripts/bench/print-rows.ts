import { formatTable } from "../../platform/terminal/format-table.ts";

/** Prints a benchmark's rows: a table whose headings are the first row's keys, or JSON. */
export function printRows(rows: readonly object[], json: boolean): void {
  if (json) console.log(JSON.stringify(rows));
  else
    console.log(
      formatTable(
        Object.keys(rows[0] ?? {}),
        rows.map((row) => Object.values(row).map(String)),
      ),
    );
}
