import { describe, expect, test } from "bun:test";
import { FairQueue } from "#agent/serving/batching/fair-queue.ts";

const alike = () => 1;

describe("requests of one tenant", () => {
  test("go in the order in which they would be done at equal shares", () => {
    const queue = new FairQueue(alike);
    const large = queue.open("a", 1_256, 0);
    const smaller = queue.open("a", 266, 0);
    expect([large.finish, smaller.finish]).toEqual([1_000, 10]);
    // Two share: 1,980 tokens bring each 990 further. What comes now goes behind the large one, which has waited for long enough.
    queue.charge(large.turn, 1_980);
    expect(queue.open("a", 267, 0).finish).toBeGreaterThan(large.finish);
    expect(queue.open("a", 265, 0).finish).toBeLessThan(large.finish);
  });

  test("go as they come where none is larger than a batch", () => {
    const queue = new FairQueue(alike);
    expect([queue.open("a", 256, 0).finish, queue.open("a", 1, 0).finish]).toEqual([0, 0]);
  });

  test("one alone has all", () => {
    const queue = new FairQueue(alike);
    const alone = queue.open("a", 100, 0);
    queue.charge(alone.turn, 100);
    queue.close(alone);
    queue.charge(alone.turn, 30); // work for nobody counts as work for one
    expect(queue.open("a", 257, 0).finish).toBe(131);
  });

  test("tokens that were not thought of count as soon as they are known", () => {
    const queue = new FairQueue(alike);
    const claim = queue.open("a", 300, 0);
    queue.correct(claim, 20);
    expect([claim.finish, claim.size, claim.unsent]).toEqual([64, 320, 320]);
    queue.correct(claim, -400);
    expect(claim.unsent).toBe(0);
  });
});

describe("what is ahead of a new request", () => {
  test("is what its tenant's requests have left that go before it", () => {
    const queue = new FairQueue(alike);
    queue.open("a", 300, 0);
    queue.open("a", 1_000, 0);
    expect(queue.tokensAhead("a", 10, 0)).toBe(0);
    expect(queue.tokensAhead("a", 300, 0)).toBe(300);
    expect(queue.tokensAhead("a", 1_000, 0)).toBe(1_300);
  });

  test("is of other tenants no more than their share meanwhile, and no more than they have", () => {
    const queue = new FairQueue((tenant) => (tenant === "b" ? 3 : 1));
    queue.open("a", 1_000, 0);
    expect(queue.tokensAhead("b", 300, 0)).toBe(100);
    expect(queue.tokensAhead("b", 30_000, 0)).toBe(1_000);
    expect(queue.tokensAhead("c", 300, 0)).toBe(300);
  });

  test("is nothing of others for a tenant that is owed more than it asks for", () => {
    const queue = new FairQueue(alike);
    const flood = queue.open("a", 100_000, 0);
    queue.charge(flood.turn, 50_000);
    queue.beginTurn(flood.turn);
    expect(queue.tokensAhead("b", 300, 400)).toBe(0);
    expect(queue.tokensAhead("b", 300, 200)).toBe(100);
    const claim = queue.open("b", 300, 400);
    expect(claim.turn.served).toBe(49_600);
    queue.resume(claim.turn, 100);
    expect(claim.turn.served).toBe(49_900);
  });
});

test("weights count of tenants that have requests, and of the one that asks", () => {
  const queue = new FairQueue((tenant) => tenant.length);
  const claim = queue.open("aa", 1, 0);
  expect([queue.activeWeight("b"), queue.activeWeight("aa")]).toEqual([3, 2]);
  queue.close(claim);
  expect(queue.activeWeight("b")).toBe(1);
});

describe("what was done for a tenant", () => {
  test("is divided by its weight", () => {
    const queue = new FairQueue((tenant) => (tenant === "b" ? 4 : 1));
    const light = queue.open("a", 1_000, 0);
    const heavy = queue.open("b", 1_000, 0);
    for (const { turn } of [light, heavy]) queue.charge(turn, 400);
    expect([light.turn.served, heavy.turn.served]).toEqual([400, 100]);
  });

  test("moves the virtual time among its requests, the less the more there are", () => {
    const queue = new FairQueue(alike);
    const { turn } = queue.open("a", 1, 0);
    queue.open("a", 1, 0);
    queue.charge(turn, 100);
    expect(turn.virtualTime).toBe(50);
  });
});

describe("a tenant is owed", () => {
  test.each([
    { served: 39.9, owed: true },
    { served: 40, owed: false },
    { served: 41, owed: false },
  ])("time where it is more than the cost behind: served $served of 100", ({ served, owed }) => {
    const queue = new FairQueue((tenant) => (tenant === "b" ? 2 : 1));
    const flood = queue.open("a", 1_000, 0);
    queue.charge(flood.turn, 100);
    queue.beginTurn(flood.turn);
    const { turn } = queue.open("b", 1, 1_000);
    queue.charge(turn, 2 * served);
    expect(queue.isOwed(turn, 120)).toBe(owed);
  });

  test("nothing by turns that lie behind", () => {
    const queue = new FairQueue(alike);
    const flood = queue.open("a", 1_000, 0);
    queue.charge(flood.turn, 100);
    queue.beginTurn(flood.turn);
    const late = queue.open("b", 1, 60);
    expect(late.turn.served).toBe(40);
    queue.beginTurn(late.turn);
    expect(queue.open("c", 1, 0).turn.served).toBe(100);
  });

  test("while it has requests, what it has not used for as long as it waits", () => {
    const queue = new FairQueue(alike);
    const waiting = queue.open("b", 1, 0);
    const flood = queue.open("a", 1_000, 0);
    queue.charge(flood.turn, 100);
    queue.beginTurn(flood.turn);
    queue.open("b", 1, 0);
    expect(waiting.turn.served).toBe(0);
    expect(queue.tokensAhead("b", 50, 0)).toBe(1 + 1 + 0);
    for (const claim of [...waiting.turn.claims]) queue.close(claim);
    // Idle again, it is owed its credit only.
    expect(queue.tokensAhead("b", 50, 30)).toBe(20);
    expect(queue.open("b", 1, 30).turn.served).toBe(70);
  });
});

describe("tokens ahead of a new request", () => {
  test("of a tenant that was served before count from its own virtual time", () => {
    const queue = new FairQueue(alike);
    const own = queue.open("a", 300, 0);
    queue.charge(own.turn, 100);
    expect(own.finish).toBe(44);
    expect([queue.tokensAhead("a", 100, 0), queue.tokensAhead("a", 1, 0)]).toEqual([300, 300]);
    const before = queue.open("a", 600, 0);
    expect(before.finish).toBe(444);
    expect(queue.tokensAhead("a", 599, 0)).toBe(300);
    expect(queue.tokensAhead("a", 600, 0)).toBe(900);
  });

  test("of a heavier tenant are fewer of the others'", () => {
    const queue = new FairQueue((tenant) => (tenant === "b" ? 4 : 1));
    queue.open("b", 100, 0);
    queue.open("a", 1_000, 0);
    // By then (100 + 300) / 4 was done for each.
    expect(queue.tokensAhead("b", 300, 0)).toBe(100 + 100);
  });

  test("are none of tenants that have had more already", () => {
    const queue = new FairQueue(alike);
    const flood = queue.open("a", 1_000, 0);
    queue.charge(flood.turn, 500);
    expect(queue.tokensAhead("b", 300, 0)).toBe(0);
    expect(queue.tokensAhead("b", 600, 0)).toBe(100);
  });
});
