import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { decideRoute } from "#agent/mesh/routing/decide-route.ts";
import { explainRoute } from "#agent/mesh/routing/explain-route.ts";
import { type RouteCandidate, RouteInput } from "#agent/mesh/routing/route-input.ts";
import { referenceOffers, referencePrices } from "#tools/mesh/reference-offers.ts";

const aCandidate = (changes: Partial<RouteCandidate> & { readonly id: string }): RouteCandidate => ({
  kind: "peer",
  region: "eu",
  usdPerRequest: 1e-6,
  expectedMs: 10,
  inFlight: 0,
  capacity: 100,
  utilization: 0,
  room: null,
  warmth: 1,
  sameSpace: true,
  state: "ready",
  ...changes,
});

const input = (
  candidates: readonly RouteCandidate[],
  request: Partial<RouteInput["request"]> = {},
  rules: Partial<RouteInput["rules"]> = {},
  draws = [0.25, 0.75, 0.5],
): RouteInput =>
  Value.Parse(RouteInput, {
    request: { timeLeftMs: 50, regions: null, ...request },
    candidates,
    rules,
    draws,
  }) as RouteInput;

const route = (...given: Parameters<typeof input>) => {
  const decision = decideRoute(input(...given));
  return decision.kind === "route" ? `${decision.backend} ${decision.rule}` : `refused ${decision.rule}`;
};

const home = aCandidate({ id: "home", kind: "home" });
const device = aCandidate({ id: "device", usdPerRequest: referencePrices.peer, expectedMs: 18 });
const [spot, edge, onDemand] = referenceOffers.map(({ name, kind, usdPerRequest, latencyMs }) =>
  aCandidate({ id: `offer:${name}`, kind, usdPerRequest, expectedMs: latencyMs }),
) as [RouteCandidate, RouteCandidate, RouteCandidate];
const busy = (candidate: RouteCandidate, utilization = 0.8) => ({ ...candidate, utilization });

describe("the backend that answers", () => {
  test("the cheapest in time, tier by tier as they fill", () => {
    const tiers = [onDemand, edge, spot, device];
    expect(route(tiers)).toBe("device cheapest");
    expect(route([onDemand, edge, spot, busy(device)])).toBe("offer:spot cheapest");
    expect(route([onDemand, edge, busy(spot), busy(device)])).toBe("offer:serverless cheapest");
    // 45 ms are too many where 30 are left.
    expect(route([onDemand, edge, busy(spot), busy(device)], { timeLeftMs: 30 })).toBe("offer:on-demand only");
    expect(route(tiers.map((each) => busy(each)))).toBe("device all-busy");
  });

  test("this agent where it costs no more, even a tenth more, and is in time", () => {
    expect(route([home, aCandidate({ id: "b", usdPerRequest: 0.95e-6 })])).toBe("home home");
    expect(route([home, aCandidate({ id: "b", usdPerRequest: 0.8e-6 })])).toBe("b cheapest");
    expect(route([{ ...home, expectedMs: 51 }, aCandidate({ id: "b" })])).toBe("b only");
    expect(route([busy(home), aCandidate({ id: "b" })])).toBe("b only");
  });

  test("those with room for a part of the requests get that part, the next dearer the rest", () => {
    const half = { ...device, room: 0.5 };
    const third = { ...spot, room: 1 / 3 };
    const at = (draw: number) => route([half, third, onDemand], {}, {}, [0, 0, draw]);
    expect([0, 0.49].map(at)).toEqual(["device cheapest", "device cheapest"]);
    // A third of the other half.
    expect([0.51, 0.66].map(at)).toEqual(["offer:spot cheapest", "offer:spot cheapest"]);
    expect([0.67, 0.99].map(at)).toEqual(["offer:on-demand only", "offer:on-demand only"]);
    expect(route([half, { ...third, room: 0 }], {}, {}, [0, 0, 0.99])).toBe("device all-busy");
  });

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY, 0])("a price of %p ends in a route", (usdPerRequest) => {
    const given = input([aCandidate({ id: "a", room: 0.1 }), aCandidate({ id: "b", room: 0.2 })]);
    const candidates = given.candidates.map((each) => ({ ...each, usdPerRequest }));
    expect(decideRoute({ ...given, candidates })).toMatchObject({ kind: "route", usdPerRequest });
  });

  test("those that cost the same take together what they have room for", () => {
    const alike = [aCandidate({ id: "full", room: 0.2 }), aCandidate({ id: "free", room: 0.8 })];
    const dear = aCandidate({ id: "dear", usdPerRequest: 1e-5 });
    const dearest = Array.from({ length: 100 }, (_, index) => route([...alike, dear], {}, {}, [0.3, 0.5, index / 100]));
    expect(dearest.filter((each) => each === "dear only").length).toBe(50);
  });

  test("of two that cost the same, the one with less in flight for its capacity; equal ones by the draw", () => {
    const strong = aCandidate({ id: "strong", capacity: 300, inFlight: 5 });
    const weak = aCandidate({ id: "weak", capacity: 100, inFlight: 2 });
    for (const draw of [0, 0.4, 0.8, 0.99])
      expect(route([strong, weak], {}, {}, [draw, 1 - draw, 0.5])).toBe("strong less-loaded");
    const twins = [aCandidate({ id: "a" }), aCandidate({ id: "b" })];
    expect(route(twins, {}, {}, [0, 0, 0.4])).toBe("a less-loaded");
    expect(route(twins, {}, {}, [0, 0, 0.6])).toBe("b less-loaded");
  });

  test("drawn in proportion to capacity and warmth, however many are empty", () => {
    const fleet = [
      aCandidate({ id: "strong", capacity: 600 }),
      aCandidate({ id: "weak", capacity: 200 }),
      aCandidate({ id: "cold", capacity: 600, warmth: 0.1 }),
    ];
    const counts: Record<string, number> = {};
    for (let one = 0; one < 40; one += 1) {
      for (let other = 0; other < 40; other += 1) {
        const draws = [(one + 0.5) / 40, (other + 0.5) / 40, (one + other) % 2 === 0 ? 0.2 : 0.7];
        const chosen = route(fleet, {}, {}, draws).split(" ")[0] as string;
        counts[chosen] = (counts[chosen] ?? 0) + 1;
      }
    }
    expect(counts["strong"]).toBeGreaterThan(2 * (counts["cold"] ?? 0));
    expect(counts["weak"]).toBeGreaterThan(counts["cold"] ?? 0);
  });

  test("a text that takes long goes to fast ones rather, the more the less time is left; a short one by capacity", () => {
    const share = (fastMs: number, slowMs: number, timeLeftMs: number) => {
      const pair = [
        aCandidate({ id: "fast", capacity: 100, expectedMs: fastMs }),
        aCandidate({ id: "slow", capacity: 100, expectedMs: slowMs, inFlight: 0 }),
      ];
      let fast = 0;
      for (let draw = 0; draw < 100; draw += 1)
        // The first of the two that are drawn: the tie goes to it.
        if (route(pair, { timeLeftMs }, {}, [(draw + 0.5) / 100, 0, 0.2]).startsWith("fast")) fast += 1;
      return fast;
    };
    expect(share(2, 2, 50)).toBe(50);
    expect(share(2, 4, 5_000)).toBe(50);
    expect(share(2, 4, 50)).toBeGreaterThan(55);
    expect(share(10, 25, 50)).toBeGreaterThan(90);
    // Without any expectation, and where none is in time, anyway one is drawn.
    expect(share(60, 80, 50)).toBeGreaterThan(50);
  });

  test("none in time: the soonest, or a refusal", () => {
    const slow = [aCandidate({ id: "a", expectedMs: 110 }), aCandidate({ id: "b", expectedMs: 70, usdPerRequest: 1 })];
    expect(route(slow)).toBe("b soonest");
    expect(route(slow, {}, { late: "refuse" })).toBe("refused too-late");
  });

  test.each([
    ["another region", { region: "us" }, "no-region"],
    ["other vectors", { sameSpace: false }, "no-model"],
    ["standby", { state: "standby" }, "none-left"],
    ["draining", { state: "draining" }, "none-left"],
    ["an open circuit", { state: "open" }, "none-left"],
    ["a probe under way", { state: "probing", inFlight: 1 }, "none-left"],
  ] as const)("never one with %s", (_, changes, rule) => {
    const one = aCandidate({ id: "one", ...changes });
    expect(route([one], { regions: ["eu"] })).toBe(`refused ${rule}`);
    expect(route([one, { ...onDemand, region: "eu" }], { regions: ["eu"] })).toBe("offer:on-demand only");
  });

  test("one that was asked is not asked again", () => {
    expect(route([device, spot], { tried: ["device"] })).toBe("offer:spot only");
    expect(route([device], { tried: ["device"] })).toBe("refused none-left");
    expect(route([])).toBe("refused no-model");
  });

  test("one that was not heard from lately is the last resort; one that may probe is asked", () => {
    const silent = aCandidate({ id: "silent", state: "silent", usdPerRequest: 0 });
    expect(route([silent, onDemand])).toBe("offer:on-demand only");
    expect(route([silent])).toBe("silent last-resort");
    expect(route([aCandidate({ id: "probed", state: "probing" })])).toBe("probed only");
  });

  test("whatever the fleet and what fails, no request leaves its regions, and none is answered with other vectors", () => {
    let seed = 7;
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed / 2 ** 31;
    };
    const pick = <T>(values: readonly T[]) => values[Math.floor(random() * values.length)] as T;
    const regions = ["eu", "us", "ap", ""];
    for (let round = 0; round < 3_000; round += 1) {
      const candidates = Array.from({ length: Math.floor(random() * 8) }, (_, index) =>
        aCandidate({
          id: `b${index}`,
          region: pick(regions),
          state: pick(["ready", "standby", "draining", "open", "probing", "silent"]),
          sameSpace: random() < 0.7,
          expectedMs: random() < 0.2 ? null : random() * 100,
          utilization: random() * 1.2,
          usdPerRequest: random(),
          capacity: pick([0, 10, 500]),
          inFlight: Math.floor(random() * 3),
        }),
      );
      const allowed = ["eu", ...(random() < 0.3 ? ["ap"] : [])];
      const tried = candidates.filter(() => random() < 0.2).map(({ id }) => id);
      const given = input(candidates, { regions: allowed, tried }, {}, [random(), random(), random()]);
      const decision = decideRoute(given);
      if (decision.kind === "refuse") continue;
      const chosen = candidates.find(({ id }) => id === decision.backend) as RouteCandidate;
      expect(allowed).toContain(chosen.region);
      expect(chosen.sameSpace).toBe(true);
      expect(tried).not.toContain(chosen.id);
      expect(["ready", "probing", "silent"]).toContain(chosen.state);
      // Whoever was not chosen has a reason.
      expect(Object.keys(decision.passedOver).sort()).toEqual(
        candidates.flatMap(({ id }) => (id === chosen.id ? [] : [id])).sort(),
      );
    }
  });
});

test.each([
  [[device, spot], {}, "device: the cheapest that answers in time (8.0e-7 $, 18 ms expected; others: 1 dearer)"],
  [[{ ...device, region: "us" }], { regions: ["eu"] }, "no backend is in the tenant's regions (1 in another region)"],
  [[busy(home), spot], {}, "offer:spot: the only one available (0.0000020 $, 20 ms expected; others: 1 busy)"],
] as const)("the sentence of a route", (candidates, request, sentence) => {
  expect(explainRoute(decideRoute(input(candidates, request as object)))).toBe(sentence);
});
