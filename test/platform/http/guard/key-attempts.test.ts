import { expect, test } from "bun:test";
import { createKeyAttempts } from "#platform/http/guard/key-attempts.ts";

test("ten wrong keys are answered at once, then one a second", () => {
  let nowMs = 0;
  const attempts = createKeyAttempts(() => nowMs);
  const tries = (count: number) => Array.from({ length: count }, () => attempts.wrongKey("192.0.2.1"));
  expect(tries(12)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
  nowMs = 1_000;
  expect(tries(2)).toEqual([0, 1]);
  nowMs = 1_999;
  expect(tries(2)).toEqual([1, 1]);
  nowMs = 2_000;
  expect(tries(2)).toEqual([0, 1]);
  nowMs = 3_600_000;
  expect(tries(11)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
});

test.each([
  ["192.0.2.1", "192.0.2.2", false],
  ["2001:db8::1", "2001:db8::ffff:1", true],
  ["2001:db8:0:0:1::", "2001:db8::2", true],
  ["2001:db8:0:1::1", "2001:db8:0:2::1", false],
  ["::1", "::2", true],
  ["2001:db8:0:1:2:3:4:5", "2001:db8:0:1:6:7:8:9", true],
  ["2001:db8::1", "2001:db8:0:0:1:2:3:4", true],
  ["::1", "0:0:0:0:1:2:3:4", true],
  ["2001:0:0:1:2:3:4:5", "2001::1:6:7:8:9", true],
  ["2001::1:2:3:4:5", "2001::2:2:3:4:5", false],
  ["1:2:3:4:5:6:7::", "1:2:3:4::", true],
  ["::1:2:3:4:5:6", "::1:2:7:7:7:7", true],
  ["::1:2:3:4:5", "::2:2:3:4:5", false],
  ["::ffff:192.0.2.1", "::ffff:192.0.2.2", false],
])("%s and %s count as one sender: %p", (first, second, same) => {
  const attempts = createKeyAttempts(() => 0);
  for (let index = 0; index < 10; index += 1) attempts.wrongKey(first);
  expect(attempts.wrongKey(second)).toBe(same ? 1 : 0);
});

test("4096 addresses are remembered; the one that was quiet for longest is forgotten first", () => {
  const attempts = createKeyAttempts(() => 0);
  const exhaust = (address: string) => {
    for (let index = 0; index < 10; index += 1) attempts.wrongKey(address);
  };
  exhaust("192.0.2.1");
  exhaust("192.0.2.2");
  for (let index = 0; index < 4_094; index += 1) attempts.wrongKey(`10.0.${index >> 8}.${index & 255}`);
  expect([attempts.wrongKey("192.0.2.2"), attempts.wrongKey("192.0.2.1")]).toEqual([1, 1]);
  for (let index = 0; index < 4_094; index += 1) attempts.wrongKey(`10.1.${index >> 8}.${index & 255}`);
  expect(attempts.wrongKey("192.0.2.1")).toBe(1);
  for (let index = 0; index < 4_095; index += 1) attempts.wrongKey(`10.2.${index >> 8}.${index & 255}`);
  attempts.wrongKey("10.3.0.0");
  expect(attempts.wrongKey("192.0.2.1")).toBe(0);
});
