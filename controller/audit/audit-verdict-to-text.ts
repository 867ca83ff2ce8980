import type { AuditBreak, AuditVerdict } from "./audit-check.ts";

const breaks: Readonly<Record<AuditBreak, string>> = {
  unreadable: "can't be read",
  gap: "has no entry before it",
  changed: "has been altered",
  unchained: "does not follow from the previous entry",
  "cut-at-start": "is the first one, but no entry records the removal of earlier ones",
  "not-there": "was in the log and is missing: the end of the log was cut off",
  "other-head": "differs from the recorded one",
};

/** Sentence for a verdict on the audit log. */
export function auditVerdictToText(verdict: AuditVerdict): string {
  if (verdict.kind === "broken")
    return `entry ${verdict.seq} ${breaks[verdict.rule]}${verdict.detail === "" ? "" : ` (${verdict.detail})`}`;
  const { entries, first, head } = verdict;
  if (head === null) return "the audit log is empty";
  return `${entries} entries (${first} to ${head.seq}) are unaltered; head ${head.seq}:${head.hash}`;
}
