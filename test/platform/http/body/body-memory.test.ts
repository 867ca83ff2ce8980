import { expect, test } from "bun:test";
import { BodyMemory } from "#platform/http/body/body-memory.ts";

test("bodies that fit enter at once; others wait for the place of those that have been parsed", async () => {
  const memory = new BodyMemory(100);
  const first = await memory.enter(50, "a");
  const second = await memory.enter(50, "b");
  let third: unknown = "waits";
  const entering = memory.enter(50, "c").then((slot) => {
    third = slot;
  });
  await Bun.sleep(5);
  expect(third).toBe("waits");
  first?.release();
  first?.release();
  await entering;
  expect(third).not.toBeNull();
  second?.release();
});

test("one owner waits for itself while there is memory for others", async () => {
  const memory = new BodyMemory(100);
  const first = await memory.enter(40, "greedy");
  let admitted = false;
  const second = memory.enter(40, "greedy").then((slot) => {
    admitted = true;
    return slot;
  });
  const other = await memory.enter(40, "other");
  expect(other).not.toBeNull();
  expect(admitted).toBe(false);
  first?.release();
  expect(await second).not.toBeNull();
});

test("a body larger than all memory is read alone", async () => {
  const slot = await new BodyMemory(100).enter(1_000, "a");
  expect(slot).not.toBeNull();
});

test("a sender that has stalled is cut off when another waits, one that goes on or has sent all is not", async () => {
  let nowMs = 0;
  const memory = new BodyMemory(100, () => nowMs);
  const stalled = await memory.enter(50, "a");
  const done = await memory.enter(25, "b");
  const going = await memory.enter(25, "c");
  done?.complete();
  nowMs = 10_000;
  await Bun.sleep(700);
  expect(stalled?.cut.aborted).toBe(false);
  going?.progressed();
  const waiting = memory.enter(50, "d");
  while (stalled?.cut.aborted !== true) await Bun.sleep(20);
  expect([done?.cut.aborted, going?.cut.aborted]).toEqual([false, false]);
  stalled.release();
  expect(await waiting).not.toBeNull();
});

test("no more than 32 wait", async () => {
  const memory = new BodyMemory(100);
  const first = await memory.enter(100, "a");
  const waiting = Array.from({ length: 32 }, () => memory.enter(1, "a"));
  expect(await memory.enter(1, "a")).toBeNull();
  first?.release();
  expect((await Promise.all(waiting)).filter((slot) => slot === null)).toEqual([]);
});
