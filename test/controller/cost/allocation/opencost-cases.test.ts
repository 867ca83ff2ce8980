import { describe, expect, test } from "bun:test";
import { decisions } from "#cli/decide/decisions.ts";
import cases from "../../../fixtures/allocation-cases.json";

const { topology, aggregate, idle, efficiency } = cases;

interface Answer {
  readonly totals: Record<string, number>;
  readonly total: number;
  readonly idle: Record<string, Record<string, number>>;
  readonly efficiency: Record<string, number>;
}
const answer = (input: object) => decisions["allocation"]?.answer(input, "x.json") as Answer;
const rows = (...sets: string[]) => topology.filter(({ set }) => sets.includes(set));
const near = (expected: Record<string, number>) =>
  Object.fromEntries(Object.entries(expected).map(([name, value]) => [name, expect.closeTo(value, 6)]));

test("there are all cases", () => {
  expect([aggregate.length, idle.length, efficiency.length]).toEqual([41, 5, 15]);
});

describe("who pays what", () => {
  test.each(aggregate.map((each) => [each.name, each] as const))("%s", (_name, { input, ...each }) => {
    const items = input.items ?? rows("active", input.options.idleByNode ? "idle-node" : "idle-cluster");
    const expected = (("decided" in each && each.decided) || each.expect) as Record<string, number>;
    expect(answer({ ...input, items }).totals).toEqual(near(expected));
  });
});

describe("idle of nodes", () => {
  test.each(idle.map((each) => [each.name, each] as const))("%s", (_name, { input, expect: expected }) => {
    const found = answer({ ...input, items: rows("active") }).idle;
    expect(found).toEqual(Object.fromEntries(Object.entries(expected).map(([name, row]) => [name, near(row)])));
  });
});

describe("efficiency", () => {
  test.each(efficiency.map((each) => [each.name, each] as const))("%s", (_name, { input, expect: expected }) => {
    expect(answer(input).efficiency).toMatchObject(near(expected as Record<string, number>));
  });
});
