import { expect, test } from "bun:test";
import { memoryOf, parseResidentMemory } from "#agent/serving/residency/memory-of.ts";

const status =
  "Name:\tthormesh\nVmRSS:\t     700 kB\nRssAnon:\t     100 kB\nRssFile:\t     500 kB\nRssShmem:\t     100 kB\n";

test("a process' own pages, and those of files", () => {
  expect(parseResidentMemory(status)).toEqual({ own: 102_400, mapped: 614_400 });
  expect(parseResidentMemory(status.replace("RssShmem", "RssOther"))).toBeNull();
  expect(parseResidentMemory("")).toBeNull();
});

test("what processes map counts once; one that has ended is left out; of none it is unknown", async () => {
  const child = Bun.spawn(["sleep", "1000"]);
  const [own, other, both] = await Promise.all(
    [[process.pid], [child.pid], [process.pid, child.pid, 99_999_999]].map(memoryOf),
  );
  child.kill();
  if (own == null || other == null || both == null) throw new Error("unknown memory");
  expect(other).toBeGreaterThan(0);
  // This process' memory may change between two readings, by less than half.
  expect(both).toBeGreaterThan(own / 2);
  expect(both).toBeLessThan(1.5 * own + other);
  expect(await memoryOf([99_999_999])).toBeNull();
});
