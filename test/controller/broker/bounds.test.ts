import { describe, expect, test } from "bun:test";
import { networkOf } from "#controller/broker/connections.ts";
import { createRefusalDelay } from "#controller/broker/refusal-delay.ts";
import { createRetainedMessages } from "#controller/broker/retained/retained-messages.ts";

describe("the wait for who gives wrong secrets", () => {
  test("doubles up to five seconds, by network, and is forgotten", () => {
    let now = 0;
    const delay = createRefusalDelay(() => now);
    expect(Array.from({ length: 8 }, () => delay.next("a"))).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    expect(delay.next("b")).toBe(100);
    now = 60_000;
    expect(delay.next("a")).toBe(100);
  });
  test("a minute without a wrong secret forgets those before", () => {
    let now = 0;
    const delay = createRefusalDelay(() => now);
    delay.next("a");
    now = 59_999;
    expect(delay.next("a")).toBe(200);
    now += 60_000;
    expect(delay.next("a")).toBe(100);
  });
  test("the network refused least recently is forgotten beyond 1,024", () => {
    const delay = createRefusalDelay(() => 0);
    for (let i = 0; i < 1024; i += 1) delay.next(`n${i}`);
    delay.next("n0");
    delay.next("one more");
    expect([delay.next("n0"), delay.next("n2"), delay.next("n1")]).toEqual([400, 200, 100]);
  });
  test("a thousand networks are remembered, no more", () => {
    const delay = createRefusalDelay(() => 0);
    delay.next("first");
    for (let i = 0; i < 5000; i += 1) delay.next(`n${i}`);
    expect([delay.next("first"), delay.next("n4999")]).toEqual([100, 200]);
  });
});

test("what is kept is counted by topic, and more than the budget does not fit", () => {
  const kept = createRetainedMessages(2000);
  expect(kept.fits("a", 1488)).toBe(true);
  expect(kept.fits("a", 1489)).toBe(false);
  kept.stored("a", 1000);
  kept.stored("a", 1100);
  expect([kept.messages, kept.bytes, kept.fits("b", 0), kept.fits("b", 1), kept.fits("a", 1488)]).toEqual([
    1,
    1612,
    true,
    false,
    true,
  ]);
  kept.stored("a", 0);
  expect([kept.messages, kept.bytes]).toEqual([0, 0]);
});

test.each([
  ["10.1.2.3", "10.1.2.3"],
  ["::ffff:10.1.2.3", "10.1.2.3"],
  ["::1", "0:0:0:0"],
  ["2001:db8::1", "2001:db8:0:0"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["2001:db8:1:2::", "2001:db8:1:2"],
  [undefined, ""],
])("%p is of the network %s", (address, network) => {
  expect(networkOf(address)).toBe(network);
});
