import type { AuditBreak, AuditVerdict } from "./audit-check.ts";

const breaks: Readonly<Record<AuditBreak, string>> = {
  unreadable: "can't be read",
  gap: "has no entry before it",
  changed: "is not as it was written",
  unchained: "does not follow from the one before it",
  "cut-at-start": "is the first one, but no entry says that those before it were removed",
  "not-there": "was in the log and is missing: its end was cut off",
  "other-head": "is another one than was noted",
};

/** Sentence for a verdict on the audit log. */
export function auditVerdictToText(verdict: AuditVerdict): string {
  if (verdict.kind === "broken")
    return `entry ${verdict.seq} ${breaks[verdict.rule]}${verdict.detail === "" ? "" : ` (${verdict.detail})`}`;
  const { entries, first, head } = verdict;
  if (head === null) return "the audit log is empty";
  return `${entries} entries (${first} to ${head.seq}) are as they were written; head ${head.seq}:${head.hash}`;
}
