import { describe, expect, test } from "bun:test";
import type { Claim, TenantTurn } from "#agent/serving/batching/fair-queue.ts";
import { inTurn, nextTurn, type QueuedText, TenantTexts } from "#agent/serving/batching/tenant-texts.ts";

const turnOf = (served: number, weight = 1): TenantTurn => ({
  tenant: `served ${served}`,
  weight,
  served,
  virtualTime: 0,
  claims: new Set(),
});
const claimOf = (turn: TenantTurn, finish = 0): Claim => ({ turn, start: 0, finish, size: 0, unsent: 0 });

let arrivals = 0;
/** A tenant's waiting texts, named by their keys. */
function tenant(turn: TenantTurn, texts: readonly { key: string; tokens?: number; finish?: number }[]) {
  const own = new TenantTexts(() => 0);
  const entries = texts.map(({ key, tokens = 10, finish = 0 }) => {
    arrivals += 1;
    const entry: QueuedText = {
      key,
      ids: new Uint32Array(tokens),
      tokens,
      arrival: arrivals,
      arrivedMs: 0,
      texts: own,
      claim: claimOf(turn, finish),
      waits: true,
      waiters: new Set(),
    };
    own.add(entry);
    return entry;
  });
  return { own, entries };
}
const keys = (texts: readonly QueuedText[]) => texts.map(({ key }) => key).join("");

describe("a tenant's texts", () => {
  test("wait in the order of their requests, then of their arrival", () => {
    const { own, entries } = tenant(turnOf(0), [
      { key: "a", finish: 2 },
      { key: "b", finish: 1, tokens: 5 },
      { key: "c", finish: 2 },
      { key: "d", finish: 1 },
    ]);
    expect(keys(own.waiting())).toBe("bdac");
    expect(own.waitingTokens).toBe(35);
    expect(own.byKey.get("b")).toBe(entries[1]!);
    const { own: more } = tenant(turnOf(0), [{ key: "x", finish: 1 }]);
    expect(keys(more.waiting())).toBe("x");
    more.add({ ...entries[0]!, key: "y", claim: claimOf(turnOf(0), 0) });
    expect(keys(more.waiting())).toBe("yx");
  });

  test("are put into order again only when that may have changed", () => {
    const { own, entries } = tenant(turnOf(0), [
      { key: "a", finish: 1 },
      { key: "b", finish: 2 },
    ]);
    expect(keys(own.waiting())).toBe("ab");
    entries[1]!.claim = claimOf(turnOf(0), 0);
    expect(keys(own.waiting())).toBe("ab");
    own.reorder();
    expect(keys(own.waiting())).toBe("ba");
  });

  test("are swept out when they no longer wait", () => {
    const { own, entries } = tenant(turnOf(0), [{ key: "a" }, { key: "b" }, { key: "c" }]);
    entries[1]!.waits = false;
    own.sweep();
    expect(keys(own.waiting())).toBe("ac");
  });

  test("have keys of their own: a prefix is another text", () => {
    const own = new TenantTexts(() => 0);
    const ids = [[1, 2], [1], [2, 1], [258], [1, 2, 0]].map((each) => own.keyOf(Uint32Array.from(each)));
    expect(new Set(ids).size).toBe(5);
    expect(own.keyOf(Uint32Array.of(9, 1, 2).subarray(1))).toBe(ids[0]!);
  });
});

describe("the tenant whose turn it is", () => {
  test("is the one that was served least of those that wait", () => {
    const idle = tenant(turnOf(0), [{ key: "x", tokens: 0 }]);
    const first = tenant(turnOf(2), [{ key: "a" }]);
    const same = tenant(turnOf(2), [{ key: "b" }]);
    const last = tenant(turnOf(3), [{ key: "c", tokens: 1 }]);
    expect(nextTurn([last.own, first.own, same.own, idle.own])).toBe(first.entries[0]!.claim.turn);
    expect(nextTurn([last.own])).toBe(last.entries[0]!.claim.turn);
    expect(nextTurn([idle.own])).toBeUndefined();
    expect(nextTurn([])).toBeUndefined();
  });

  test("is none where tokens are counted of texts that have been swept out", () => {
    const swept = tenant(turnOf(0), [{ key: "a" }]);
    swept.entries[0]!.waits = false;
    swept.own.sweep();
    const other = tenant(turnOf(1), [{ key: "b" }]);
    expect(nextTurn([swept.own])).toBeUndefined();
    expect(inTurn([swept.own], 100)).toEqual([]);
    expect(keys(inTurn([swept.own, other.own], 100))).toBe("b");
  });
});

describe("texts in turn", () => {
  test.each([
    { name: "nobody's", tenants: [], near: 100, order: "" },
    { name: "one tenant's", tenants: [{ served: 5, keys: "abc" }], near: 0, order: "abc" },
    {
      name: "two tenants' by what was served, the first one's beyond the horizon too",
      tenants: [
        { served: 0, keys: "abcd" },
        { served: 15, keys: "xyz" },
      ],
      near: 25,
      order: "abxcyd",
    },
    {
      name: "the one served least leads, wherever it stands",
      tenants: [
        { served: 15, keys: "xyz" },
        { served: 0, keys: "abcd" },
      ],
      near: 25,
      order: "abxcyd",
    },
    {
      name: "another's whose turn is far stay out",
      tenants: [
        { served: 0, keys: "ab" },
        { served: 26, keys: "x" },
      ],
      near: 25,
      order: "ab",
    },
    {
      name: "another's at the horizon is in",
      tenants: [
        { served: 0, keys: "ab" },
        { served: 25, keys: "x" },
      ],
      near: 25,
      order: "abx",
    },
    {
      name: "of equals, the one that comes first",
      tenants: [
        { served: 0, keys: "ab" },
        { served: 0, keys: "xy" },
      ],
      near: 5,
      order: "axb",
    },
    {
      name: "a heavier tenant gets more",
      tenants: [
        { served: 0, keys: "abcd", weight: 2 },
        { served: 0, keys: "xyzw" },
      ],
      near: 40,
      order: "axbcydz",
    },
  ])("$name", ({ tenants, near, order }) => {
    const all = tenants.map(({ served, keys: own, weight = 1 }: { served: number; keys: string; weight?: number }) =>
      tenant(
        turnOf(served, weight),
        [...own].map((key, index) => ({ key, finish: index })),
      ),
    );
    expect(
      keys(
        inTurn(
          all.map(({ own }) => own),
          near,
        ),
      ),
    ).toBe(order);
  });

  test("a tenant that waits for nothing has no turn", () => {
    const idle = tenant(turnOf(0), [{ key: "x", tokens: 0 }]);
    const busy = tenant(turnOf(9), [{ key: "a", tokens: 1 }]);
    expect(keys(inTurn([idle.own, busy.own], 100))).toBe("a");
  });
});
