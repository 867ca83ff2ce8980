import { cleanText } from "#platform/clean-text.ts";
import { foldText } from "#platform/terminal/fold-text.ts";
import type { Paint, Tone } from "#platform/terminal/paint.ts";
import type { CheckResult } from "./check.ts";

const width = 80;
const gap = "  ";
const marks = { ok: "ok", note: "note", failed: "FAILED" } as const;
const tones: Readonly<Record<CheckResult["status"], Tone>> = { ok: "good", note: "warning", failed: "bad" };
const stateWidth = Math.max(...Object.values(marks).map((mark) => mark.length));

/** Counts the checks by state. */
export function countChecks(checks: readonly CheckResult[]): Record<CheckResult["status"], number> {
  const of = (wanted: CheckResult["status"]) => checks.filter(({ status }) => status === wanted).length;
  return { ok: of("ok"), note: of("note"), failed: of("failed") };
}

const many = (count: number, one: string, more: string) => `${count} ${count === 1 ? one : more}`;

function verdict(checks: readonly CheckResult[], paint: Paint): string {
  const { note, failed } = countChecks(checks);
  const notes = note === 0 ? "" : `, ${many(note, "note", "notes")}`;
  return failed === 0
    ? `${paint("All checks passed", "good")}${notes}.`
    : `${paint(`${failed} of ${many(checks.length, "check", "checks")} failed`, "bad")}${notes}.`;
}

/**
 * Shows checks in a table of 80 columns: name, state, what was found, and below it the remedy after an arrow. A command or path that is longer than
 * its column is broken. The last line is the verdict.
 */
export function checksToText(checks: readonly CheckResult[], paint: Paint): string {
  const nameWidth = Math.max("CHECK".length, ...checks.map(({ name }) => name.length));
  const indent = " ".repeat(nameWidth + stateWidth + 2 * gap.length);
  const textWidth = width - indent.length;
  const head = `${"CHECK".padEnd(nameWidth)}${gap}${"STATE".padEnd(stateWidth)}${gap}FOUND, AND WHAT TO DO`;
  const rows = checks.flatMap(({ name, status, detail, advice }) => {
    const found = foldText(cleanText(detail), textWidth);
    const remedy = (advice ?? "").split("\n").flatMap((line) => {
      const [first, ...rest] = line === "" ? [] : foldText(cleanText(line), textWidth - 3);
      return first === undefined ? [] : [`-> ${first}`, ...rest.map((each) => `   ${each}`)];
    });
    const [first = "", ...rest] = [...found, ...remedy];
    const state = paint(marks[status], tones[status]) + " ".repeat(stateWidth - marks[status].length);
    return [`${cleanText(name).padEnd(nameWidth)}${gap}${state}${gap}${first}`, ...rest.map((line) => indent + line)];
  });
  return [paint(head, "title"), ...rows, "", verdict(checks, paint)].join("\n");
}
