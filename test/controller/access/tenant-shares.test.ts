import { describe, expect, test } from "bun:test";
import { shareLimits, TenantShares } from "#controller/access/tenant-shares.ts";
import { aMinute } from "../../fakes/builders.ts";

const demand = (texts: Record<string, number>) => new Map(Object.entries(texts));

test.each<[string, Record<string, number>, number, Record<string, number>, number]>([
  ["no demand: all alike", {}, 4, {}, 0.25],
  ["no demand and no agents", {}, 0, {}, 1],
  ["one agent", { a: 7 }, 1, { a: 1 }, 0.2],
  ["demand at one of four: most of it there", { a: 7 }, 4, { a: 0.85 }, 0.05],
  ["demand at two", { a: 30, b: 10 }, 4, { a: 0.65, b: 0.25 }, 0.05],
  ["more with demand than serve", { a: 1, b: 1 }, 1, { a: 0.5, b: 0.5 }, 0.1],
  ["a trace of demand is none", { a: 0.001 }, 2, {}, 0.5],
])("%s", (_, texts, agents, shares, otherShare) => {
  const divided = shareLimits(demand(texts), agents);
  expect(Object.fromEntries(divided.shares.map(({ agentId, share }) => [agentId, share]))).toEqual(shares);
  expect(divided.otherShare).toBe(otherShare);
});

test("whatever the demand, the agents' parts add up to one at most", () => {
  let state = 7;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  for (let round = 0; round < 300; round += 1) {
    const agents = 1 + Math.floor(random() * 200);
    const texts = new Map<string, number>();
    for (let index = 0; index < agents; index += 1) if (random() < 0.7) texts.set(`a${index}`, random() * 1000);
    const { shares, otherShare } = shareLimits(texts, agents);
    const sum = shares.reduce((total, { share }) => total + share, 0) + otherShare * (agents - shares.length);
    expect(sum).toBeLessThanOrEqual(1 + 1e-9);
    expect(sum).toBeGreaterThan(0.5);
    expect(shares.length).toBeLessThanOrEqual(64);
  }
});

test("fewer agents of each tenant are listed the more tenants there are, so that agents can be told", () => {
  const shares = new TenantShares(() => 10);
  const models = [{ ...aMinute().traffic.models[0]!, tenants: [] as object[] }];
  for (let agent = 0; agent < 10; agent += 1) {
    const tenants = Array.from({ length: 200 }, (_, number) => ({
      ...{ tenant: `t${number}`, requests: 1, texts: 1 + agent, tokens: 1, computeMs: 1 },
    }));
    const given = aMinute({ agentId: `a${agent}` });
    shares.add({ ...given, traffic: { ...given.traffic, models: [{ ...models[0]!, tenants }] } });
  }
  expect(shares.of("t3").shares.map(({ agentId }) => agentId)).toEqual(["a9", "a8", "a7", "a6", "a5"]);
});

describe("demand from minutes", () => {
  const minute = (
    agentId: string,
    tenants: { tenant: string; texts: number; refused?: number }[],
    historical = false,
  ) => {
    const data = aMinute({ agentId });
    const [model] = data.traffic.models;
    if (model === undefined) throw new Error("a minute has a model");
    const counts = { requests: 1, tokens: 1, computeMs: 1 };
    const rows = tenants.map(({ tenant, texts, refused = 0 }) => ({
      ...{ tenant, texts, ...counts },
      ...(refused === 0 ? {} : { refused: [{ cause: "rate-limit" as const, requests: 1, texts: refused, tokens: 1 }] }),
    }));
    return { ...data, historical, traffic: { ...data.traffic, models: [{ ...model, tenants: rows }] } };
  };
  const sharesOf = (shares: TenantShares, tenant = "red") =>
    Object.fromEntries(shares.of(tenant).shares.map(({ agentId, share }) => [agentId, share]));

  test("follows answered and refused texts, the newest minute with half of the weight", () => {
    const shares = new TenantShares(() => 2);
    shares.add(minute("a", [{ tenant: "red", texts: 10, refused: 20 }]));
    shares.add(minute("b", [{ tenant: "red", texts: 10 }]));
    expect(sharesOf(shares)).toEqual({ a: 0.7, b: 0.3 });
    // b now has 10 × 0.5 + 50 × 0.5.
    shares.add(minute("b", [{ tenant: "red", texts: 50 }]));
    expect(sharesOf(shares)).toEqual({ a: 0.5, b: 0.5 });
  });

  test("ends when an agent has none any more, or is forgotten", () => {
    const shares = new TenantShares(() => 2);
    shares.add(minute("a", [{ tenant: "red", texts: 10 }]));
    shares.add(minute("b", [{ tenant: "red", texts: 10 }]));
    for (let index = 0; index < 12; index += 1) shares.add(minute("a", []));
    expect(sharesOf(shares)).toEqual({ b: 0.9 });
    shares.forget("b");
    expect(shares.of("red")).toEqual({ shares: [], otherShare: 0.5 });
  });

  test("minutes that came late, the default tenant and others' demand don't count", () => {
    const shares = new TenantShares(() => 2);
    shares.add(minute("a", [{ tenant: "red", texts: 10 }], true));
    shares.add(minute("a", [{ tenant: "blue", texts: 10 }]));
    shares.add(minute("a", [{ tenant: "default", texts: 10 }]));
    expect(shares.of("red").shares).toEqual([]);
    expect(shares.of("default").shares).toEqual([]);
    expect(sharesOf(shares, "blue")).toEqual({ a: 0.9 });
  });

  test("small changes are not told", () => {
    const shares = new TenantShares(() => 2);
    shares.add(minute("a", [{ tenant: "red", texts: 100 }]));
    shares.add(minute("b", [{ tenant: "red", texts: 100 }]));
    const told = shares.of("red");
    shares.add(minute("a", [{ tenant: "red", texts: 110 }]));
    expect(shares.of("red")).toBe(told);
    shares.add(minute("a", [{ tenant: "red", texts: 300 }]));
    expect(shares.of("red")).not.toEqual(told);
  });
});
