import { expect, test } from "bun:test";
import { optionalDuration } from "#platform/terminal/duration.ts";

const read = (text: string) => optionalDuration({ ttl: text }, "ttl", { minS: 1, maxS: 604_800 });

test.each([
  ["1s", 1],
  ["15m", 900],
  ["24h", 86_400],
  ["7d", 604_800],
  ["1w", 604_800],
])("%s is %d seconds", (text, seconds) => {
  expect(read(text)).toBe(seconds);
});

test.each(["", "0s", "8d", "1", "h", "-1h", "1.5h", "1h ", "1y", "9999999999s"])(
  "%p is refused with its name",
  (text) => {
    expect(() => read(text)).toThrow(
      `--ttl: expected a time like 30s, 15m, 24h, 90d or 2w, from 1 to 604800 s, got "${text}"`,
    );
  },
);

test("an option that is absent has no value", () => {
  expect(optionalDuration({}, "ttl", { minS: 1, maxS: 2 })).toBeUndefined();
});
