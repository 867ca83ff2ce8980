import { cleanText } from "#platform/clean-text.ts";
import { wrapText } from "#platform/terminal/wrap-text.ts";
import type { Verification } from "./verify-server.ts";

/** Text of a verification, 80 columns wide; the last line is the verdict. */
export function verificationToText({ kind, checks }: Verification, url: string): string {
  const indent = " ".repeat(6);
  const lines = checks.flatMap(({ name, status, detail, advice }) => [
    wrapText(cleanText(`${status.padEnd(4)}  ${name}: ${detail}`), 80, indent),
    ...(advice === undefined ? [] : [indent + wrapText(cleanText(`-> ${advice}`), 74, `${indent}   `)]),
  ]);
  const count = (wanted: string) => checks.filter(({ status }) => status === wanted).length;
  const [failed, warned] = [count("fail"), count("warn")];
  const warnings = warned === 0 ? "" : `, ${warned} to look at`;
  const verdict =
    failed === 0
      ? `verified: ${checks.length} checks${warnings}`
      : `FAILED: ${failed} of ${checks.length} checks${warnings}`;
  return [cleanText(`${url}: ${kind}`), ...lines, "", verdict].join("\n");
}
