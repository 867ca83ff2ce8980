import { describe, expect, test } from "bun:test";
import { CloudConfig, type CloudOfferConfig, checkCloudConfig } from "#controller/scaling/apply-plan/cloud-config.ts";
import {
  type CloudUnit,
  decideCloudUnits,
  plannableOffers,
  spreadOverflow,
} from "#controller/scaling/apply-plan/decide-cloud-units.ts";
import { explainCloudUnits } from "#controller/scaling/apply-plan/explain-cloud-units.ts";
import { parseConfig } from "#platform/files/read-config.ts";

function offer(given: Partial<CloudOfferConfig> & { id: string }): CloudOfferConfig {
  return parseConfig(CloudConfig, [{ kind: "spot", capacityQps: 100, usdPerHour: 0.36, ...given }], "test")[0]!;
}
/** "s1+ s2* s3- s4!": serves, is to serve and does not yet, is on standby, is gone. */
function unitsOf(text: string, offerId = "spot"): CloudUnit[] {
  return text.split(" ").map((word) => {
    const sign = word.slice(-1);
    return {
      agentId: word.slice(0, -1),
      offerId,
      available: sign !== "!",
      active: sign === "+" || sign === "*",
      serves: sign === "+",
      roleIsHeld: false,
    };
  });
}
const spot = offer({ id: "spot", agents: ["s1", "s2", "s3"] });
const lambda = offer({ id: "lambda", kind: "serverless", usdPerHour: 0, usdPerRequest: 0.000004, max: 2 });
const limits = { mayShrink: true, needQps: 100, devicesQps: 100, targetUtilization: 0.8 };
const wants = (units: number, qps = 80) => ({ cloud: [{ id: "spot", units, qps }] });

describe("cloud units", () => {
  test.each<[string, Parameters<typeof decideCloudUnits>, object]>([
    [
      "none wanted, none there",
      [{ cloud: [] }, 0, [spot], unitsOf("s1- s2-"), limits],
      { activate: [], standBy: [], targets: [], changes: [] },
    ],
    [
      "two more",
      [wants(3, 200), 0, [spot], unitsOf("s1+ s2- s3-"), limits],
      {
        activate: ["s2", "s3"],
        changes: [{ id: "spot", kind: "spot", rule: "start", from: 1, to: 3, agents: ["s2", "s3"], qps: 200 }],
        targets: [{ id: "spot", units: 3, qps: 200, by: "agents" }],
      },
    ],
    [
      "those that are on the way count",
      [wants(2), 0, [spot], unitsOf("s1+ s2* s3-"), limits],
      { activate: [], standBy: [], changes: [{ rule: "keep", from: 2, to: 2 }] },
    ],
    ["one that is gone is not asked", [wants(2), 0, [spot], unitsOf("s1+ s2! s3-"), limits], { activate: ["s3"] }],
    [
      "one too many: who does not serve yet first",
      [wants(1), 0, [spot], unitsOf("s1* s2+"), limits],
      { standBy: ["s1"] },
    ],
    [
      "a single unit is a target",
      [wants(1), 0, [spot], unitsOf("s1+"), limits],
      { targets: [{ id: "spot", units: 1, qps: 80, by: "agents" }] },
    ],
    [
      "none of several that stand by starts for one that goes",
      [wants(0), 0, [spot], unitsOf("s1+ s2- s3-"), limits],
      { activate: [], standBy: ["s1"] },
    ],
    [
      "a unit of an offer that is gone carries nothing",
      [wants(0), 0, [spot], [...unitsOf("s1+"), ...unitsOf("x1+", "gone")], { ...limits, mayShrink: false }],
      { standBy: [], carriedQps: 80 },
    ],
    [
      "the last one goes when the devices carry all",
      [wants(0), 0, [spot], unitsOf("s1+ s2-"), limits],
      { standBy: ["s1"], changes: [{ rule: "stop", from: 1, to: 0, agents: ["s1"] }] },
    ],
    [
      "not below what is needed",
      [wants(0), 0, [spot], unitsOf("s1+ s2-"), { ...limits, devicesQps: 99 }],
      { standBy: [], changes: [{ rule: "keep", from: 1, to: 1 }] },
    ],
    [
      "not while nothing may shrink",
      [wants(0), 0, [spot], unitsOf("s1+ s2-"), { ...limits, mayShrink: false }],
      { standBy: [] },
    ],
    [
      "no plan at all",
      [undefined, 0, [spot], unitsOf("s1+"), { ...limits, mayShrink: false }],
      { activate: [], standBy: [] },
    ],
    [
      "what nothing can switch on is recorded",
      [{ cloud: [] }, 120, [lambda], [], limits],
      {
        activate: [],
        targets: [{ id: "lambda", units: 2, qps: 120, by: "none" }],
        changes: [{ id: "lambda", kind: "serverless", rule: "overflow", to: 2, qps: 120 }],
      },
    ],
    [
      "what requests find by themselves",
      [{ cloud: [{ id: "lambda", units: 1, qps: 60 }] }, 0, [{ ...lambda, reachable: true }], [], limits],
      {
        targets: [{ id: "lambda", units: 1, qps: 60, by: "itself" }],
        changes: [{ id: "lambda", rule: "reached", to: 1, qps: 60 }],
      },
    ],
  ])("%s", (_name, given, expected) => {
    expect(decideCloudUnits(...given)).toMatchObject(expected);
  });

  test("what is done is told offer by offer", () => {
    const far = { ...lambda, id: "far", reachable: true };
    const plan = {
      cloud: [
        { id: "spot", units: 2, qps: 80 },
        { id: "rack", units: 0, qps: 0 },
        { id: "far", units: 1, qps: 60 },
      ],
    };
    const offers = [spot, offer({ id: "rack", kind: "on-demand", agents: ["r1"] }), far, lambda];
    const units = [...unitsOf("s1+ s2- s3-"), ...unitsOf("r1+", "rack")];
    expect(explainCloudUnits(decideCloudUnits(plan, 100, offers, units, limits))).toBe(
      "Cloud: spot (spot) from 1 to 2 units -> switch on s2; rack (on-demand) from 1 to 0 units -> r1 to standby; 60 texts/s go to far (serverless, 1 unit); 100 texts/s would overflow to 2 units of lambda (serverless), which nothing here can switch on.",
    );
    expect(explainCloudUnits(decideCloudUnits(wants(1), 0, [spot], unitsOf("s1+"), limits))).toBe(
      "Cloud: 1 unit of spot (spot) goes on.",
    );
    expect(explainCloudUnits(decideCloudUnits({ cloud: [] }, 0, [spot], unitsOf("s1-"), limits))).toBe("");
  });

  test("several offers: each gets its own part of the plan, in their order", () => {
    const rack = offer({ id: "rack", kind: "on-demand", capacityQps: 50, agents: ["r1", "r2"] });
    const units = [...unitsOf("s1+ s2-"), ...unitsOf("r1+ r2-", "rack")];
    const plan = { cloud: [...wants(2, 90).cloud, { id: "rack", units: 2, qps: 70 }] };
    const more = decideCloudUnits(plan, 0, [spot, rack], units, limits);
    expect(more).toMatchObject({ activate: ["s2", "r2"], standBy: [], carriedQps: 120 });
    expect(more.targets.map(({ id, units, qps }) => `${id} ${units} ${qps}`)).toEqual(["spot 2 90", "rack 2 70"]);
    expect(more.changes.map(({ id, from, to, qps }) => `${id} ${from} ${to} ${qps}`)).toEqual([
      "spot 1 2 90",
      "rack 1 2 70",
    ]);
    const fewer = decideCloudUnits({ cloud: [] }, 0, [spot, rack], units, limits);
    expect(fewer).toMatchObject({ activate: [], standBy: ["s1", "r1"], carriedQps: 0, targets: [] });
    expect(fewer.changes.map(({ id, from, to, qps }) => `${id} ${from} ${to} ${qps}`)).toEqual([
      "spot 1 0 0",
      "rack 1 0 0",
    ]);
    const kept = decideCloudUnits({ cloud: [] }, 0, [spot, rack], units, { ...limits, mayShrink: false });
    expect(kept.changes.map(({ id, rule }) => `${id} ${rule}`)).toEqual(["spot keep", "rack keep"]);
  });

  test("a unit that does not serve yet can be given back whatever is needed; the others as long as the rest suffices", () => {
    const needed = { ...limits, devicesQps: 20, needQps: 100 };
    const units = unitsOf("s1+ s2+ s3*");
    expect(decideCloudUnits(wants(0), 0, [spot], units, needed)).toMatchObject({
      standBy: ["s3", "s2"],
      carriedQps: 80,
    });
    expect(decideCloudUnits(wants(0), 0, [spot], units, { ...needed, needQps: 101 }).standBy).toEqual(["s3"]);
    expect(decideCloudUnits(wants(0), 0, [spot], units, { ...needed, needQps: 180.5 }).standBy).toEqual([]);
  });

  test("offers without agents: those that are reached by themselves are planned on, the others only told", () => {
    const far = (id: string, given: object = {}) => ({ ...lambda, id, reachable: true, ...given });
    const plan = { cloud: ["a", "b", "c"].map((id) => ({ id, units: id === "b" ? 0 : 1, qps: 60 })) };
    const offers = [far("a"), far("b"), far("c", { reachable: false })];
    expect(decideCloudUnits(plan, 0, offers, [], limits)).toMatchObject({
      targets: [{ id: "a", by: "itself" }],
      changes: [{ id: "a", rule: "reached", from: 1, to: 1 }],
    });
    const both = decideCloudUnits(
      { cloud: ["a", "b"].map((id) => ({ id, units: 1, qps: 60 })) },
      0,
      [far("a"), far("b")],
      [],
      limits,
    );
    expect([both.targets.map(({ id }) => id), both.changes.map(({ id }) => id)]).toEqual([
      ["a", "b"],
      ["a", "b"],
    ]);
    const over = decideCloudUnits({ cloud: [] }, 200, [lambda, { ...lambda, id: "other", kind: "spot" }], [], limits);
    expect(over.targets.map(({ id, units, qps }) => `${id} ${units} ${qps}`)).toEqual(["lambda 2 160", "other 1 40"]);
    expect(over.changes.map(({ id, kind, from, to }) => `${id} ${kind} ${from} ${to}`)).toEqual([
      "lambda serverless 0 2",
      "other spot 0 1",
    ]);
  });

  test.each([
    ["hourly", "perRequest"],
    ["perRequest", "hourly"],
  ])(
    "an hour's price is spread over what a unit carries in it: of equal prices the first by name, here %s",
    (first, second) => {
      const common = { capacityQps: 1, max: 1 };
      const prices = {
        hourly: { usdPerHour: 3600, usdPerRequest: 0 },
        perRequest: { usdPerHour: 0, usdPerRequest: 1 },
      };
      const offers = [first, second].map((name, index) => ({
        ...{ ...common, id: index === 0 ? "a" : "b" },
        ...prices[name as keyof typeof prices],
      }));
      expect(spreadOverflow(1, offers.toReversed(), 1).map(({ id }) => id)).toEqual(["a"]);
    },
  );

  test("a plan counts the units of an offer alone", () => {
    const rack = offer({ id: "rack", agents: ["r1"] });
    const units = [...unitsOf("s1+ s2-"), ...unitsOf("r1+", "rack")];
    expect(plannableOffers([spot, rack], units, new Map()).map(({ max, running }) => [max, running])).toEqual([
      [2, 1],
      [1, 1],
    ]);
  });

  test("an operator's unit stays as it is", () => {
    const held = unitsOf("s1+ s2-").map((unit) => ({ ...unit, roleIsHeld: true }));
    expect(decideCloudUnits(wants(0), 0, [spot], held, limits)).toMatchObject({ activate: [], standBy: [] });
    expect(decideCloudUnits(wants(2), 0, [spot], held, limits)).toMatchObject({ activate: [], standBy: [] });
  });

  test("a plan counts on what can be switched on or is reached anyway, and on no more units than there are", () => {
    const far = { ...lambda, reachable: true };
    expect(plannableOffers([spot, lambda], unitsOf("s1+ s2- s3!"), new Map())).toMatchObject([
      { id: "spot", max: 2, running: 1 },
    ]);
    expect(plannableOffers([far], [], new Map())).toMatchObject([{ id: "lambda", max: 2, running: 0 }]);
    expect(plannableOffers([far], [], new Map([["lambda", 1]]))).toMatchObject([{ id: "lambda", max: 2, running: 1 }]);
  });

  test("the cheapest for a request overflows first, up to its units", () => {
    const dear = offer({ id: "dear", usdPerHour: 3.6, max: 9 });
    expect(spreadOverflow(200, [dear, spot, lambda], 0.8)).toEqual([
      { id: "spot", units: 1, qps: 80 },
      { id: "lambda", units: 2, qps: 120 },
    ]);
    expect(spreadOverflow(500, [lambda], 0.8)).toEqual([{ id: "lambda", units: 2, qps: 160 }]);
    expect(spreadOverflow(0, [lambda], 0.8)).toEqual([]);
  });

  test("mistakes of a configuration are named with their paths", () => {
    const offers = [spot, { ...spot, agents: ["s1", "s9"] }];
    expect(checkCloudConfig(offers, new Set(["s1", "s2", "s3"]))).toEqual([
      'cloud.1.id: expected an id used once, got "spot" again',
      'cloud.1.agents.0: expected an agent of one offer, got "s1" again',
      'cloud.1.agents.1: expected an agent that capacity.process or capacity.webhooks switches, got "s9"',
    ]);
  });
});
