import type { ComponentChildren } from "preact";

export interface Column<Row> {
  readonly key: string;
  readonly label: string;
  /** Explanation of the column. */
  readonly title?: string;
  readonly isNumber?: boolean;
  /** False: nothing sorts by it. */
  readonly isSortable?: boolean;
  /** True: left out where the window is narrow. */
  readonly isMinor?: boolean;
  /** True: cells hold sentences, and get the width for them. */
  readonly isLong?: boolean;
  readonly cell: (row: Row) => ComponentChildren;
}

export interface Sort {
  readonly key: string;
  readonly direction: "ascending" | "descending";
}

/** Max rows on one page of a table. */
export const rowsPerPage = 100;

interface TableProps<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => string;
  readonly sort?: Sort | undefined;
  readonly onSort?: (sort: Sort) => void;
  /** Rows on all pages together, by which the server counts. Default: those given. */
  readonly total?: number;
  /** First row of this page, from 0. */
  readonly from?: number;
  /** Goes to the page that begins with a row. */
  readonly onPage?: (from: number) => void;
  readonly rowClass?: (row: Row) => string;
  /** Content of a table without rows. */
  readonly empty: ComponentChildren;
}

function nextSort(current: Sort | undefined, key: string, isNumber: boolean): Sort {
  if (current?.key === key) return { key, direction: current.direction === "ascending" ? "descending" : "ascending" };
  return { key, direction: isNumber ? "descending" : "ascending" };
}

function HeadCell<Row>({ column, sort, onSort }: { column: Column<Row> } & Pick<TableProps<Row>, "sort" | "onSort">) {
  const { key, label, title, isNumber = false, isSortable = true, isMinor = false } = column;
  const direction = sort?.key === key ? sort.direction : undefined;
  const classes = `${isNumber ? "number" : ""}${isMinor ? " minor" : ""}`;
  return (
    <th scope="col" class={classes} title={title} aria-sort={onSort && isSortable ? (direction ?? "none") : undefined}>
      {onSort && isSortable ? (
        <button type="button" class="sort" onClick={() => onSort(nextSort(sort, key, isNumber))}>
          {label}
        </button>
      ) : (
        label
      )}
    </th>
  );
}

const classOf = ({ isNumber, isMinor, isLong }: Pick<Column<never>, "isNumber" | "isMinor" | "isLong">) =>
  `${isNumber ? "number" : ""}${isMinor ? " minor" : ""}${isLong ? " long" : ""}`;

/** A table of at most {@link rowsPerPage} rows. Sorting and paging are its owner's: for long lists they are the server's. */
export function Table<Row>(props: TableProps<Row>) {
  const { caption, columns, rows, rowKey, rowClass, empty, from = 0, onPage } = props;
  const total = props.total ?? rows.length;
  const shown = rows.slice(0, rowsPerPage);
  const until = from + shown.length;
  return (
    <div class="table-block">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
      <section class="scroll" tabIndex={0} aria-label={`${caption}: the table`}>
        <table class="rows">
          <caption class="hidden">{caption}</caption>
          <thead>
            <tr>
              {columns.map((column) => (
                <HeadCell
                  key={column.key}
                  column={column}
                  sort={props.sort}
                  {...(props.onSort ? { onSort: props.onSort } : {})}
                />
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={rowKey(row)} class={rowClass?.(row)}>
                {columns.map((column) => (
                  <td key={column.key} data-label={column.label} class={classOf(column)}>
                    <div class="cell">{column.cell(row)}</div>
                  </td>
                ))}
              </tr>
            ))}
            {shown.length === 0 ? (
              <tr>
                <td colSpan={columns.length} class="empty">
                  {empty}
                </td>
              </tr>
            ) : null}
          </tbody>
        </table>
      </section>
      {onPage && total > rowsPerPage ? (
        <nav class="pages" aria-label={`Pages of ${caption}`}>
          <button type="button" disabled={from === 0} onClick={() => onPage(Math.max(0, from - rowsPerPage))}>
            ← previous
          </button>
          <span>
            {from + 1} to {until} of {total}
          </span>
          <button type="button" disabled={until >= total} onClick={() => onPage(from + rowsPerPage)}>
            next →
          </button>
        </nav>
      ) : null}
    </div>
  );
}
