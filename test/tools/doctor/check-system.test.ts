import { expect, test } from "bun:test";
import { checkClock, checkSystem } from "#tools/doctor/check-system.ts";

test.each([
  ["2.27", "failed"],
  ["2.28", "ok"],
  ["2.36", "ok"],
  ["3.0", "ok"],
  ["1.99", "failed"],
  [null, "ok"],
] as const)("glibc %s: %s", async (glibc, status) => {
  const result = await checkSystem(async () => glibc);
  expect([result.name, result.status]).toEqual(["system", status]);
  expect(result.detail).toContain(`glibc ${glibc ?? "unknown"}`);
  expect(result.detail.endsWith("expected glibc 2.28 or newer")).toBe(status === "failed");
  expect(result.advice?.includes("JetPack 5") ?? false).toBe(status === "failed");
});

test("of this machine it is found out", async () => {
  expect(await checkSystem()).toMatchObject({
    status: "ok",
    detail: expect.stringMatching(/, Linux \d.*, glibc \d+\.\d+$/),
  });
});

const madeAtMs = Date.parse("2026-11-30T12:00:00Z");

test.each([
  [0, "note", "1970-01-01 00:00 UTC"],
  [madeAtMs - 1, "note", "before this program was made"],
  [madeAtMs, "ok", "UTC"],
] as const)("a clock that says %d: %s", (nowMs, status, detail) => {
  const result = checkClock(nowMs, madeAtMs);
  expect(result).toMatchObject({ name: "clock", status, detail: expect.stringContaining(detail) });
  if (status === "note") expect(result.advice).toContain("timedatectl set-ntp true");
});
