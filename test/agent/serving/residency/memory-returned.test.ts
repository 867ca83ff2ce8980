import { expect, test } from "bun:test";
import { turnOverModels } from "./turn-over-models.ts";

const mb = ({ memoryBytes }: { memoryBytes: number }) => memoryBytes / 1e6;

test("an evicted model frees its memory: over loads in turn there are never more processes, nor more memory", async () => {
  const { before, afterLoad, after } = await turnOverModels(5);
  // The one that stays and one more.
  expect(afterLoad.map(({ processes }) => processes - before.processes)).toEqual(afterLoad.map(() => 1));
  const oneModelMb = mb(afterLoad[0]!) - mb(before);
  expect(oneModelMb).toBeGreaterThan(50);
  // Four were evicted since: had they kept half of it, this would be two models more.
  expect(mb(afterLoad.at(-1)!) - mb(afterLoad[0]!)).toBeLessThan(oneModelMb);
  expect(mb(after) - mb(before)).toBeLessThan(oneModelMb / 2);
});
