import { describe, expect, test } from "bun:test";
import { byTurn, createFairLine } from "#agent/serving/fair-line.ts";

describe("a fair line", () => {
  test("puts one request's texts one after the other, and another request's first beside its first", () => {
    const line = createFairLine();
    const large = { reachesTo: 0 };
    expect([line.rank(large, 10), line.rank(large, 20), line.rank(large, 5)]).toEqual([0, 10, 30]);
    expect(line.rank({ reachesTo: 0 }, 7)).toBe(0);
  });

  test("who comes later does not get ahead of what had its turn already", () => {
    const line = createFairLine();
    const large = { reachesTo: 0 };
    for (let text = 0; text < 5; text += 1) line.rank(large, 10);
    // Two requests share: 40 tokens of work bring each 20 further.
    line.advance(40, 2);
    expect(line.rank({ reachesTo: 0 }, 10)).toBe(20);
    expect(line.rank(large, 10)).toBe(50);
  });

  test("one that never waits with others loses nothing by pausing", () => {
    const line = createFairLine();
    const share = { reachesTo: 0 };
    line.rank(share, 10);
    line.advance(1_000, 1);
    expect(line.rank(share, 10)).toBe(1_000);
  });

  test("counts work for nobody as work for one", () => {
    const line = createFairLine();
    line.advance(30, 0);
    expect(line.rank({ reachesTo: 0 }, 1)).toBe(30);
  });

  test("goes by rank, then by arrival", () => {
    const places = [
      { rank: 5, arrival: 1 },
      { rank: 0, arrival: 3 },
      { rank: 0, arrival: 2 },
    ];
    expect(places.sort(byTurn).map((place) => place.arrival)).toEqual([2, 3, 1]);
  });
});
