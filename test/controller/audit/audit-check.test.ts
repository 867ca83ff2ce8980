import { expect, test } from "bun:test";
import { AuditCheck, type AuditHead, type AuditRow, pruneAction } from "#controller/audit/audit-check.ts";
import { type AuditEntry, hashOfEntry } from "#controller/audit/audit-entry.ts";
import { auditVerdictToText } from "#controller/audit/audit-verdict-to-text.ts";
import { canonicalJson } from "#protocol/canonical-json.ts";
import { createMemoryStore } from "../memory-store.ts";

const draft = {
  ...{ atMs: 1, actor: "root", role: "admin", from: "local", action: "keys.create", target: "t" },
  ...{ phase: "done" as const, of: null, before: null, after: null, reason: null },
};

async function aLog(length: number): Promise<{ rows: AuditRow[]; prune: (kept: number) => Promise<AuditRow[]> }> {
  const store = createMemoryStore();
  for (let index = 0; index < length; index += 1) await store.appendAudit({ ...draft, after: { index } });
  const rows = () => store.auditEntries(0, 1000);
  return {
    rows: await rows(),
    prune: async (kept) => {
      await store.pruneAudit(0, kept, 2);
      return rows();
    },
  };
}

const verdictOn = (rows: readonly AuditRow[], against: AuditHead | null = null) => {
  const check = new AuditCheck(against);
  for (const row of rows) check.add(row);
  return check.verdict();
};
const edited = (row: AuditRow | undefined, change: Partial<AuditEntry>): AuditRow => {
  if (row?.entry == null) throw new Error("there is no such entry");
  return { ...row, entry: { ...row.entry, ...change } };
};
/** Writes the log anew from an entry on, as one who can write the whole store would. */
const rewritten = (rows: readonly AuditRow[], from: number, change: Partial<AuditEntry>): AuditRow[] => {
  let prevHash = rows[from]?.entry?.prevHash ?? "";
  return rows.map((row, index) => {
    if (index < from) return row;
    const { entry } = edited(row, { ...(index === from ? change : {}), prevHash });
    prevHash = hashOfEntry(entry as AuditEntry);
    return { ...row, entry, hash: prevHash };
  });
};

test("a log as it was written is intact, an empty one too", async () => {
  const { rows } = await aLog(5);
  const head = { seq: 5, hash: rows[4]?.hash as string };
  expect(verdictOn(rows)).toEqual({ kind: "intact", entries: 5, first: 1, head });
  expect(auditVerdictToText(verdictOn(rows))).toBe(`5 entries (1 to 5) are unaltered; head 5:${head.hash}`);
  expect(verdictOn(rows, { seq: 3, hash: rows[2]?.hash as string }).kind).toBe("intact");
  expect(auditVerdictToText(verdictOn([]))).toBe("the audit log is empty");
});

test.each<[string, (rows: AuditRow[]) => AuditRow[], string]>([
  ["a field", (rows) => rows.with(2, edited(rows[2], { actor: "somebody else" })), "entry 3 has been altered"],
  ["a field deep inside", (rows) => rows.with(2, edited(rows[2], { after: { index: 7 } })), "entry 3 has been altered"],
  ["the place", (rows) => rows.with(2, edited(rows[2], { seq: 4 })), "entry 3 has been altered (it is numbered 4)"],
  ["a hash", (rows) => rows.with(2, { ...(rows[2] as AuditRow), hash: "0".repeat(64) }), "entry 3 has been altered"],
  ["one left out", (rows) => rows.toSpliced(2, 1), "entry 4 has no entry before it (it follows 2)"],
  ["two exchanged", (rows) => rows.with(2, rows[3] as AuditRow).with(3, rows[2] as AuditRow), "entry 4 has no entry"],
  [
    "one replaced with its own hash",
    (rows) => rewritten(rows.slice(0, 3), 2, { actor: "x" }).concat(rows.slice(3)),
    "entry 4 does not follow from",
  ],
  ["the first left out", (rows) => rows.slice(1), "entry 2 is the first one, but no entry records"],
  [
    "one that can't be read",
    (rows) => rows.with(1, { ...(rows[1] as AuditRow), entry: null }),
    "entry 2 can't be read",
  ],
])("a log with %s changed is broken", async (_, change, text) => {
  const { rows } = await aLog(5);
  expect(auditVerdictToText(verdictOn(change(rows)))).toStartWith(text);
});

test("who rewrites it all or cuts off its end is found by an entry noted elsewhere, and only by that", async () => {
  const { rows } = await aLog(5);
  const noted = { seq: 4, hash: rows[3]?.hash as string };
  const forged = rewritten(rows, 1, { actor: "somebody else" });
  expect(verdictOn(forged).kind).toBe("intact");
  expect(auditVerdictToText(verdictOn(forged, noted))).toStartWith("entry 4 differs from the recorded one");
  expect(verdictOn(rows.slice(0, 3)).kind).toBe("intact");
  expect(auditVerdictToText(verdictOn(rows.slice(0, 3), noted))).toBe(
    "entry 4 was in the log and is missing: the end of the log was cut off (the last one is 3)",
  );
  expect(verdictOn([], noted).kind).toBe("broken");
});

test("entries that were removed in order leave the rest intact, whose own removal would show", async () => {
  const { rows: before, prune } = await aLog(5);
  const rows = await prune(2);
  expect(rows.map(({ seq, entry }) => [seq, entry?.action])).toEqual([
    [4, "keys.create"],
    [5, "keys.create"],
    [6, pruneAction],
  ]);
  expect(verdictOn(rows)).toMatchObject({ kind: "intact", entries: 3, first: 4 });
  // An entry that is no longer there can't be compared.
  expect(verdictOn(rows, { seq: 2, hash: before[1]?.hash as string }).kind).toBe("intact");
  expect(verdictOn(rows.slice(1))).toMatchObject({ kind: "broken", rule: "cut-at-start" });
  expect(verdictOn(rows.slice(0, 2))).toMatchObject({ kind: "broken", rule: "cut-at-start" });
});

test("canonical JSON: sorted keys, no blanks, nothing undefined", () => {
  expect(canonicalJson({ b: [1, undefined, { d: null, c: "\u001b" }], a: undefined, A: 1e21 })).toBe(
    '{"A":1e+21,"b":[1,null,{"c":"\\u001b","d":null}]}',
  );
});
