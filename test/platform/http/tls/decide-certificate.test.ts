import { expect, test } from "bun:test";
import { decideCertificate } from "#platform/http/tls/decide-certificate.ts";
import { explainCertificate } from "#platform/http/tls/explain-certificate.ts";
import { dayMs } from "#platform/time.ts";

const year = { notBeforeMs: 0, notAfterMs: 365 * dayMs };
const hour = { notBeforeMs: 0, notAfterMs: dayMs / 24 };

test.each([
  ["before it begins", year, -1, "not-yet-valid"],
  ["as it begins", year, 0, "valid"],
  ["two weeks before its end", year, 351 * dayMs, "valid"],
  ["within the last two weeks", year, 351 * dayMs + 1, "ends-soon"],
  ["at its last moment", year, 365 * dayMs, "ends-soon"],
  ["after it", year, 365 * dayMs + 1, "ended"],
  ["at four fifths of a short life", hour, hour.notAfterMs * 0.8, "valid"],
  ["after four fifths of it", hour, hour.notAfterMs * 0.8 + 1, "ends-soon"],
] as const)("a certificate %s", (_, life, nowMs, rule) => {
  expect(decideCertificate({ ...life, nowMs })).toBe(rule);
});

test("each state but a good one has a sentence with its time and a remedy", () => {
  const facts = { ...year, nowMs: 400 * dayMs };
  expect(explainCertificate("valid", facts, "replace it")).toBeNull();
  expect(explainCertificate("ended", facts, "replace it")).toMatch(/expired 1971-01-01.*1971-02-05.*: replace it$/);
  expect(explainCertificate("ends-soon", facts, "replace it")).toMatch(/expires 1971-01-01.*: replace it$/);
  expect(explainCertificate("not-yet-valid", facts, "replace it")).toMatch(
    /not valid before 1970-01-01.*timedatectl.*replace it$/,
  );
});
