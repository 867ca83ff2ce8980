import { describe, expect, test } from "bun:test";
import {
  ClientAllowance,
  ClientAllowances,
  createPublishPace,
  maxDelayedBytes,
} from "#controller/broker/publish-pace.ts";

const limits = { messagesPerS: 10, bytesPerS: 1e9, burstS: 1 };

test("a wait is rounded up", () => {
  const pace = createPublishPace({ messagesPerS: 3, bytesPerS: 1e9, burstS: 1 }, () => 0);
  expect([pace.take(3, 0), pace.take(1, 0)]).toEqual([0, 334]);
});

describe("the pace of one client", () => {
  const limits = { messagesPerS: 10, bytesPerS: 1000, burstS: 2 };
  test("a burst goes at once; after it what comes waits its turn, and time gives it back", () => {
    let now = 5000;
    const pace = createPublishPace(limits, () => now);
    expect(Array.from({ length: 22 }, () => pace.take(1, 1))).toEqual([...new Array(20).fill(0), 100, 200]);
    now += 1200;
    expect(pace.take(1, 1)).toBe(0);
  });
  test("what may not wait takes nothing where it would have to", () => {
    let now = 0;
    const pace = createPublishPace({ messagesPerS: 1, bytesPerS: 1, burstS: 3 }, () => now);
    expect([1, 1, 1, 1, 1].map((each) => pace.tryTake(each))).toEqual([true, true, true, false, false]);
    now = 1000;
    expect([1, 1].map((each) => pace.tryTake(each))).toEqual([true, false]);
  });

  test("bytes count as well", () => {
    const pace = createPublishPace(limits, () => 0);
    expect([pace.take(1, 2000), pace.take(1, 500), pace.take(1, 500)]).toEqual([0, 500, 1000]);
  });
  test("who was silent for long may not send more at once than who was not", () => {
    let now = 0;
    const pace = createPublishPace(limits, () => now);
    now = 1e9;
    expect(pace.take(25, 0)).toBe(500);
  });
});

describe("the allowance of a client", () => {
  test("allows 60 connections at once, then one a second", () => {
    let nowMs = 0;
    const allowance = new ClientAllowance(limits, () => nowMs);
    const connect = (times: number) =>
      Array.from({ length: times }, () => allowance.mayConnect()).filter(Boolean).length;
    expect(connect(100)).toBe(60);
    nowMs = 2000;
    expect(connect(100)).toBe(2);
  });

  test("makes messages wait beyond their rate", () => {
    const allowance = new ClientAllowance(limits, () => 0);
    expect([allowance.take(10, 1), allowance.take(1, 1)]).toEqual([0, 100]);
  });

  test("refuses what would wait beyond 4 MiB, each message with 512 bytes beside its payload, until it has waited", async () => {
    expect(maxDelayedBytes).toBe(4 * 1024 * 1024);
    const allowance = new ClientAllowance(limits, () => 0);
    // Nothing waits yet: one message may be as large as it is.
    expect(allowance.take(1, 2 * maxDelayedBytes)).not.toBeNull();
    const started = performance.now();
    const waiting = allowance.delay(30, maxDelayedBytes - 2000);
    expect(allowance.take(1, 2000 - 1024)).not.toBeNull();
    expect(allowance.take(1, 2001 - 1024)).toBeNull();
    await waiting;
    expect(performance.now() - started).toBeGreaterThanOrEqual(25);
    expect(allowance.take(1, 2 * maxDelayedBytes)).not.toBeNull();
  });
});

describe("allowances", () => {
  test("an agent keeps its own over all connections; each observer's connection has a new one", () => {
    const allowances = new ClientAllowances(limits, () => 0);
    const agent = { role: "agent", name: "a" } as const;
    const observer = { role: "observer", name: "observer" } as const;
    expect(allowances.of(agent)).toBe(allowances.of(agent));
    expect(allowances.of(agent)).not.toBe(allowances.of({ ...agent, name: "b" }));
    expect(allowances.of(agent)).not.toBe(allowances.of({ ...agent, role: "doctor" }));
    expect(allowances.of(observer)).not.toBe(allowances.of(observer));
    expect([allowances.of(agent).take(10, 0), allowances.of(agent).take(1, 0)]).toEqual([0, 100]);
  });

  test("20,000 agents are remembered; the one that connected least recently is forgotten", () => {
    const allowances = new ClientAllowances(limits, () => 0);
    const of = (index: number) => allowances.of({ role: "agent", name: `a${index}` });
    const known = Array.from({ length: 20_000 }, (_, index) => of(index));
    expect(of(0)).toBe(known[0] as ClientAllowance);
    of(20_000);
    expect(of(0)).toBe(known[0] as ClientAllowance);
    expect(of(2)).toBe(known[2] as ClientAllowance);
    expect(of(1)).not.toBe(known[1] as ClientAllowance);
  });
});
