import { expect, test } from "bun:test";
import { createBodyRoom } from "#platform/http/body/body-room.ts";

test("bodies that fit enter at once; others wait for the place of those that have been parsed", async () => {
  const room = createBodyRoom(100);
  const first = await room.enter(50, "a");
  const second = await room.enter(50, "b");
  let third: unknown = "waits";
  const entering = room.enter(50, "c").then((slot) => {
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

test("one owner waits for itself while there is room for others", async () => {
  const room = createBodyRoom(100);
  const first = await room.enter(40, "greedy");
  let admitted = false;
  const second = room.enter(40, "greedy").then((slot) => {
    admitted = true;
    return slot;
  });
  const other = await room.enter(40, "other");
  expect(other).not.toBeNull();
  expect(admitted).toBe(false);
  first?.release();
  expect(await second).not.toBeNull();
});

test("a body larger than the room is read alone", async () => {
  const slot = await createBodyRoom(100).enter(1_000, "a");
  expect(slot).not.toBeNull();
});

test("a sender that has stalled is cut off when another waits, one that goes on or has sent all is not", async () => {
  let nowMs = 0;
  const room = createBodyRoom(100, () => nowMs);
  const stalled = await room.enter(50, "a");
  const done = await room.enter(25, "b");
  const going = await room.enter(25, "c");
  done?.complete();
  nowMs = 10_000;
  await Bun.sleep(700);
  expect(stalled?.cut.aborted).toBe(false);
  going?.progressed();
  const waiting = room.enter(50, "d");
  while (stalled?.cut.aborted !== true) await Bun.sleep(20);
  expect([done?.cut.aborted, going?.cut.aborted]).toEqual([false, false]);
  stalled.release();
  expect(await waiting).not.toBeNull();
});

test("no more than 32 wait", async () => {
  const room = createBodyRoom(100);
  const first = await room.enter(100, "a");
  const waiting = Array.from({ length: 32 }, () => room.enter(1, "a"));
  expect(await room.enter(1, "a")).toBeNull();
  first?.release();
  expect((await Promise.all(waiting)).filter((slot) => slot === null)).toEqual([]);
});
