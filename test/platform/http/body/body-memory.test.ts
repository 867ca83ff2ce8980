import { afterEach, describe, expect, jest, spyOn, test } from "bun:test";
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

describe("on a clock of its own", () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  test("a request that finds no memory for 10 s goes without, and one that found some stays", async () => {
    jest.useFakeTimers();
    const memory = new BodyMemory(100);
    const first = await memory.enter(100, "a");
    let overdue: unknown = "waits";
    const waiting = memory.enter(50, "b").then((slot) => {
      overdue = slot;
    });
    jest.advanceTimersByTime(9_999);
    await Promise.resolve();
    expect(overdue).toBe("waits");
    jest.advanceTimersByTime(1);
    await waiting;
    expect(overdue).toBeNull();
    const next = memory.enter(60, "b");
    first?.release();
    expect(await next).not.toBeNull();
    jest.advanceTimersByTime(20_000);
    // What is left of the memory is 40.
    expect(await memory.enter(40, "c")).not.toBeNull();
    expect(jest.getTimerCount()).toBe(0);
  });

  test("a sender is cut off after 2 s without a byte, looked at every 500 ms while another waits", async () => {
    jest.useFakeTimers();
    let nowMs = 0;
    const memory = new BodyMemory(100, () => nowMs);
    const pass = (ms: number) => {
      nowMs += ms;
      jest.advanceTimersByTime(ms);
    };
    const holder = await memory.enter(100, "a");
    const waiting = memory.enter(1, "b");
    pass(1_500);
    expect(holder?.cut.aborted).toBe(false);
    holder?.progressed();
    pass(1_500);
    expect(holder?.cut.aborted).toBe(false);
    pass(500);
    expect(holder?.cut.aborted).toBe(true);
    holder?.release();
    expect(await waiting).not.toBeNull();
  });

  test("the watch begins again with the next that waits", async () => {
    jest.useFakeTimers();
    let nowMs = 0;
    const memory = new BodyMemory(100, () => nowMs);
    const first = await memory.enter(100, "a");
    const second = memory.enter(100, "b");
    first?.release();
    const holder = await second;
    expect(jest.getTimerCount()).toBe(0);
    const third = memory.enter(100, "c");
    nowMs = 2_000;
    jest.advanceTimersByTime(500);
    expect(holder?.cut.aborted).toBe(true);
    holder?.release();
    expect(await third).not.toBeNull();
  });
});

test("an owner has half of the memory at most, to the byte, while others wait", async () => {
  const memory = new BodyMemory(100);
  expect(await memory.enter(25, "a")).not.toBeNull();
  expect(await memory.enter(25, "a")).not.toBeNull();
  let admitted = false;
  void memory.enter(1, "a").then(() => {
    admitted = true;
  });
  // A small one of another owner does not wait behind it.
  expect(await memory.enter(50, "b")).not.toBeNull();
  expect(admitted).toBe(false);
});

test("garbage is collected once for every 16 MiB of bodies", async () => {
  const collect = spyOn(Bun, "gc").mockImplementation(() => 0);
  try {
    const megabyte = 1024 * 1024;
    const memory = new BodyMemory(16 * megabyte);
    const useOf = async (bytes: number) => (await memory.enter(bytes, "a"))?.release();
    await useOf(16 * megabyte - 1);
    expect(collect).not.toHaveBeenCalled();
    await useOf(1);
    expect(collect.mock.calls).toEqual([[true]]);
    await useOf(16 * megabyte - 1);
    expect(collect).toHaveBeenCalledTimes(1);
  } finally {
    collect.mockRestore();
  }
});
