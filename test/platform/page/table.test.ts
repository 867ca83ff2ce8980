import { expect, test } from "bun:test";
import type { ComponentChildren, VNode } from "preact";
import { type Column, type Sort, Table } from "#platform/page/table.tsx";

interface Board {
  readonly id: string;
  readonly watts: number;
}
type Part = VNode<Record<string, unknown> & { readonly children?: ComponentChildren }>;

/** Elements of a view, components replaced by what they show. */
function elements(view: ComponentChildren): Part[] {
  if (Array.isArray(view)) return view.flatMap(elements);
  if (view === null || typeof view !== "object") return [];
  const part = view as Part;
  if (typeof part.type === "function")
    return elements((part.type as (props: object) => ComponentChildren)({ ...part.props }));
  return [part, ...elements(part.props.children)];
}

/** Text of a view, as one reads it. */
function textOf(view: ComponentChildren): string {
  if (Array.isArray(view)) return view.map(textOf).join("");
  if (view === null || view === undefined || typeof view === "boolean") return "";
  return typeof view === "object" ? textOf((view as Part).props.children) : String(view);
}

const columns: readonly Column<Board>[] = [
  { key: "id", label: "Agent", cell: ({ id }) => id },
  { key: "watts", label: "Power", isNumber: true, cell: ({ watts }) => `${watts} W` },
  { key: "note", label: "Note", isSortable: false, isMinor: true, cell: () => null },
];
const boards = (count: number): Board[] =>
  Array.from({ length: count }, (_, index) => ({ id: `board-${index}`, watts: index }));

function show(more: Partial<Parameters<typeof Table<Board>>[0]> = {}) {
  const view = elements(
    Table<Board>({
      ...{ caption: "Agents", columns, rows: boards(2), rowKey: ({ id }) => id, empty: "none" },
      ...more,
    }),
  );
  const all = (type: string) => view.filter((part) => part.type === type);
  return {
    all,
    texts: (type: string) => all(type).map(textOf),
    press(label: string) {
      const button = all("button").find((each) => textOf(each) === label);
      if (button === undefined) throw new Error(`there is no button "${label}"`);
      if (button.props["disabled"] !== true) (button.props["onClick"] as () => void)();
    },
  };
}

test("a table shows a row for each, with its column's label beside each figure", () => {
  const { all, texts } = show({ rowClass: ({ watts }) => (watts > 0 ? "on" : "off") });
  expect(texts("td")).toEqual(["board-0", "0 W", "", "board-1", "1 W", ""]);
  expect(all("td").map(({ props }) => props["data-label"])).toEqual([
    "Agent",
    "Power",
    "Note",
    "Agent",
    "Power",
    "Note",
  ]);
  expect(all("tr").map(({ props }) => props["class"])).toEqual([undefined, "off", "on"]);
  expect(texts("caption")).toEqual(["Agents"]);
});

test("a table without rows says so over its whole width", () => {
  const { all, texts } = show({ rows: [], empty: "no agent has that name" });
  expect(texts("td")).toEqual(["no agent has that name"]);
  expect(all("td")[0]?.props["colSpan"]).toBe(3);
});

test.each([
  [undefined, "Agent", { key: "id", direction: "ascending" }],
  [undefined, "Power", { key: "watts", direction: "descending" }],
  [{ key: "id", direction: "ascending" }, "Agent", { key: "id", direction: "descending" }],
  [{ key: "id", direction: "descending" }, "Agent", { key: "id", direction: "ascending" }],
  [{ key: "id", direction: "descending" }, "Power", { key: "watts", direction: "descending" }],
] as const)("sorted by %p, a press on %p sorts by %p", (sort, label, wanted) => {
  const sorts: Sort[] = [];
  const { all, press, texts } = show({ sort, onSort: (next) => sorts.push(next) });
  press(label);
  expect(sorts).toEqual([wanted]);
  // What is sorted by is told to those who don't see it, and what can't be sorted has no button.
  const told = all("th").map(({ props }) => props["aria-sort"]);
  expect(told).toEqual([
    ...["id", "watts"].map((key) => (sort?.key === key ? sort.direction : "none")),
    ...[undefined],
  ]);
  expect(texts("button")).toEqual(["Agent", "Power"]);
});

test("a table that nothing sorts has no buttons", () => {
  expect(show().texts("button")).toEqual([]);
});

test.each([
  [0, 250, "1 to 100 of 250", [true, false], [100]],
  [100, 250, "101 to 200 of 250", [false, false], [0, 200]],
  [200, 250, "201 to 250 of 250", [false, true], [100]],
  [40, 250, "41 to 140 of 250", [false, false], [0, 140]],
] as const)("from row %p of %p it shows %p", (from, total, shown, disabled, leadsTo) => {
  const pages: number[] = [];
  const rows = boards(total).slice(from, from + 100);
  const { all, press, texts } = show({ rows, from, total, onPage: (to) => pages.push(to) });
  expect(texts("span")).toEqual([shown]);
  expect(all("button").map(({ props }) => props["disabled"])).toEqual([...disabled]);
  press("← previous");
  press("next →");
  expect(pages).toEqual([...leadsTo]);
});

test("more rows than fit on a page are cut, and those that fit have no pages", () => {
  const cut = show({ rows: boards(130), onPage: () => undefined });
  expect(cut.all("tr")).toHaveLength(101);
  expect(cut.texts("span")).toEqual(["1 to 100 of 130"]);
  expect(show({ rows: boards(100), onPage: () => undefined }).all("nav")).toEqual([]);
});
