import { expect, test } from "bun:test";
import { QuotaUse } from "#agent/access/quota-use.ts";

function disk(text: string | null = null) {
  const kept = {
    text,
    writes: 0,
    load: () => kept.text,
    save(written: string) {
      kept.text = written;
      kept.writes += 1;
    },
  };
  return kept;
}
const day = (use: QuotaUse, name = "2026-11-30") => use.used("red", "day", name);

test("what is used is put down ahead: a crash counts a little too much, an end exactly", () => {
  const kept = disk();
  const use = new QuotaUse(kept);
  for (let request = 0; request < 25; request += 1) use.add("red", "day", "2026-11-30", "requests", 1, 9);
  expect(day(use)).toEqual({ requests: 25, texts: 0, tokens: 0 });
  expect(kept.writes).toBe(3);
  expect(day(new QuotaUse(kept)).requests).toBe(30);
  use.flush();
  expect(day(new QuotaUse(kept)).requests).toBe(25);
});

test("what is given back is not written at once, and nothing goes below zero", () => {
  const kept = disk();
  const use = new QuotaUse(kept);
  use.add("red", "day", "2026-11-30", "tokens", 10, 0);
  use.add("red", "day", "2026-11-30", "tokens", -30, 0);
  expect(day(use).tokens).toBe(0);
  expect(kept.writes).toBe(1);
});

test("a later period begins at nothing; a clock that was set back goes on in the later one", () => {
  const use = new QuotaUse(disk());
  use.add("red", "day", "2026-11-30", "requests", 5, 0);
  use.add("red", "month", "2026-11", "requests", 5, 0);
  use.add("red", "day", "2026-12-01", "requests", 2, 0);
  expect(day(use, "2026-12-01").requests).toBe(2);
  expect(day(use, "2026-11-30").requests).toBe(2);
  expect(use.used("red", "month", "2026-11").requests).toBe(5);
});

test("tenants without quotas are forgotten, on disk too", () => {
  const kept = disk();
  const use = new QuotaUse(kept);
  use.add("red", "day", "2026-11-30", "requests", 5, 0);
  use.add("blue", "day", "2026-11-30", "requests", 5, 0);
  use.keepOnly((tenant) => tenant === "blue");
  expect(kept.text).not.toContain("red");
  expect(kept.text).toContain("blue");
  const { writes } = kept;
  use.keepOnly(() => true);
  expect(kept.writes).toBe(writes);
});

test.each(["", "no JSON", '{"v":2}', '{"v":1,"tenants":{"red":{"day":{"name":"2026-11-30"}}}}'])(
  "a text that can't be read counts as nothing: %p",
  (text) => {
    const kept = disk(text);
    const use = new QuotaUse(kept);
    expect(day(use).requests).toBe(0);
    use.keepOnly(() => true);
    new QuotaUse(disk(text)).flush();
    expect(kept.writes).toBe(0);
  },
);
