import { describe, expect, test } from "bun:test";
import { ModelSpeed } from "#agent/serving/batching/model-speed.ts";

/** Cost of a batch of one text of 24 padded tokens: 64. */
const start = (speed: ModelSpeed, nowMs: number) => speed.startBatch(1, 24, 20, nowMs);

test("nothing is known before the first batch", () => {
  const speed = new ModelSpeed();
  expect([speed.costPerMs(), speed.msFor(100), speed.tokensInFlight]).toEqual([null, null, 0]);
});

test("times of tokens follow from the speed: each costs a fifth more than itself", () => {
  const speed = new ModelSpeed();
  speed.assume(10);
  expect([speed.costPerMs(), speed.msFor(100), speed.msFor(0)]).toEqual([10, 12, 0]);
});

describe("a speed is assumed", () => {
  test("once", () => {
    const speed = new ModelSpeed();
    speed.assume(200);
    speed.assume(10);
    expect(speed.costPerMs()).toBe(200);
  });

  test("only as long as none was measured", () => {
    const speed = new ModelSpeed();
    speed.assume(200);
    const batch = start(speed, 100);
    expect(speed.measure(batch, 10, 110)).toBe(10);
    speed.assume(300);
    expect(speed.costPerMs()).toBeCloseTo(6.4, 10);
  });
});

test("texts that a board lets through at once after a pause count with the time that its capacity takes for them", () => {
  const speed = new ModelSpeed();
  const batch = speed.startBatch(1, 24, 20, 100, 640);
  expect(speed.measure(batch, 10, 110)).toBe(10);
  expect(speed.costPerMs()).toBeCloseTo(0.1, 10);
});

describe("the time of a batch", () => {
  test("begins with it on an idle model, also after a measured one", () => {
    const speed = new ModelSpeed();
    for (const startMs of [100, 500]) {
      const batch = start(speed, startMs);
      expect(speed.tokensInFlight).toBe(20);
      speed.measure(batch, 10, startMs + 10);
      speed.endBatch(batch);
      expect(speed.tokensInFlight).toBe(0);
      expect(speed.costPerMs()).toBeCloseTo(6.4, 10);
    }
  });

  test("begins with the answer to the one before on a busy model", () => {
    const speed = new ModelSpeed();
    const first = start(speed, 100);
    const second = start(speed, 105);
    expect(speed.tokensInFlight).toBe(40);
    speed.measure(first, 10, 110);
    speed.endBatch(first);
    speed.measure(second, 10, 120);
    // 10 ms each: the second is not counted from its own start.
    expect(speed.costPerMs()).toBeCloseTo(6.4, 10);
  });

  test("begins when the board is asked for capacity, and the delay counts in full", () => {
    const speed = new ModelSpeed();
    speed.startHold(100);
    speed.endHold(900);
    const batch = start(speed, 1_000);
    expect(batch.heldMs).toBe(900);
    speed.measure(batch, 10, 1_010);
    speed.endBatch(batch);
    expect(speed.costPerMs()).toBeCloseTo(64 / 910, 10);
    expect(start(speed, 1_020).heldMs).toBe(0);
  });

  test("does not begin anew when the board is asked while a batch is being computed", () => {
    const speed = new ModelSpeed();
    const batch = start(speed, 100);
    speed.startHold(105);
    speed.endHold(3);
    speed.measure(batch, 10, 110);
    expect(speed.costPerMs()).toBeCloseTo(6.4, 10);
    expect(start(speed, 110).heldMs).toBe(3);
  });

  test("delays add up until a batch is sent", () => {
    const speed = new ModelSpeed();
    speed.endHold(3);
    speed.endHold(4);
    expect(start(speed, 10).heldMs).toBe(7);
  });
});

test("a speed is stale more than two seconds after the last work", () => {
  const speed = new ModelSpeed();
  const batch = start(speed, 100);
  speed.measure(batch, 10, 110);
  expect([speed.isStale(2_110), speed.isStale(2_110.5)]).toEqual([false, true]);
});
