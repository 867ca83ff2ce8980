import { describe, expect, test } from "bun:test";
import { Balancer, type Target } from "#tools/demo/traffic/balancer.ts";

const target = (agentId: string, weight: number): Target => ({ agentId, url: `http://${agentId}`, weight });
const none: ReadonlySet<string> = new Set();

function picks(balancer: Balancer, count: number, nowMs = 0): string {
  return Array.from({ length: count }, () => balancer.pick(nowMs, none)?.agentId ?? "-").join("");
}

describe("Balancer", () => {
  test("has nobody to ask at first", () => {
    expect(new Balancer().pick(0, none)).toBeNull();
  });

  test.each([
    { name: "one", targets: [target("a", 5)], expected: "aaaaaaa" },
    { name: "equal weights", targets: [target("a", 2), target("b", 2)], expected: "abababa" },
    { name: "5 to 1 to 1, spread out", targets: [target("a", 5), target("b", 1), target("c", 1)], expected: "aabacaa" },
    {
      name: "no or odd weights count as 1",
      targets: [target("a", 0), target("b", Number.NaN), target("c", Number.POSITIVE_INFINITY)],
      expected: "abcabca",
    },
  ])("spreads by weight: $name", ({ targets, expected }) => {
    const balancer = new Balancer();
    balancer.update(targets);
    expect(picks(balancer, 7)).toBe(expected);
  });

  test("an agent that refused rests, also over an update, and then comes back", () => {
    const balancer = new Balancer();
    balancer.update([target("a", 1), target("b", 1)]);
    balancer.rest("a", 100);
    expect(picks(balancer, 3, 99)).toBe("bbb");
    balancer.update([target("a", 1), target("b", 1)]);
    expect(picks(balancer, 3, 99)).toBe("bbb");
    expect(picks(balancer, 4, 100)).toContain("a");
  });

  test("an agent at a new address does not rest", () => {
    const balancer = new Balancer();
    balancer.update([target("a", 1)]);
    balancer.rest("a", 100);
    balancer.update([{ ...target("a", 1), url: "http://elsewhere" }]);
    expect(balancer.pick(0, none)?.url).toBe("http://elsewhere");
  });

  test("an agent that was tried is asked again only when there is no other", () => {
    const balancer = new Balancer();
    balancer.update([target("a", 100), target("b", 1)]);
    expect(balancer.pick(0, new Set(["a"]))?.agentId).toBe("b");
    expect(balancer.pick(0, new Set(["a", "b"]))?.agentId).toBe("a");
  });

  test("agents that left the list are not asked any more; peers named by others are, until the next list", () => {
    const balancer = new Balancer();
    balancer.update([target("a", 1)]);
    balancer.addHeardOf([
      { agentId: "b", url: "http://b" },
      { agentId: "a", url: "http://ignored" },
    ]);
    expect(new Set(picks(balancer, 4))).toEqual(new Set("ab"));
    expect(balancer.size).toBe(2);
    balancer.update([target("a", 1)]);
    expect(picks(balancer, 3)).toBe("aaa");
  });
});
