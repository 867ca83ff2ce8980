import { expect, test } from "bun:test";
import { createMinuteCounts, otherNames } from "#agent/traffic/minute-counts.ts";
import { encodeMessage, maxMessageBytes } from "#protocol/codec.ts";
import { demandOf, offeredTexts } from "#protocol/demand.ts";
import { MinuteData, type ModelTraffic } from "#protocol/messages.ts";
import { aMinute } from "../../fakes/builders.ts";
import { aRefused, aServed } from "../../fakes/served-request.ts";

const request = (model: string, tenant: string, computeMs = 2) =>
  aServed({ model, tenant, texts: 3, tokens: 24, latencyMs: 4, computeMs });

test("each model's tenants add up to it", () => {
  const counts = createMinuteCounts();
  counts.add(request("m", "red", 5));
  counts.add(request("m", "default", 0));
  counts.add(request("m", "red", 1));
  counts.add(request("n", "blue"));
  const { models } = counts.traffic();
  expect(models.map(({ model, requests, computeMs }) => ({ model, requests, computeMs }))).toEqual([
    { model: "m", requests: 3, computeMs: 6 },
    { model: "n", requests: 1, computeMs: 2 },
  ]);
  expect(models.map(({ tenants }) => tenants)).toEqual([
    [
      { tenant: "red", requests: 2, texts: 6, tokens: 48, computeMs: 6 },
      { tenant: "default", requests: 1, texts: 3, tokens: 24, computeMs: 0 },
    ],
    [{ tenant: "blue", requests: 1, texts: 3, tokens: 24, computeMs: 2 }],
  ]);
  expect(counts.workTexts()).toBe(12);
});

test("where only the default tenant asked, none is named: the record is what agents without tenants write", () => {
  const counts = createMinuteCounts();
  counts.add(request("m", "default"));
  expect(counts.traffic().models[0]).not.toHaveProperty("tenants");
});

test("with more models and tenants than a message can hold the rest is counted together, and nothing is lost", () => {
  const counts = createMinuteCounts();
  const longName = (name: string) => name.padEnd(64, "x");
  const offer = (model: string, tenant: string) => {
    counts.add({ ...request(model, tenant, 123.456789012345), cachedTexts: 1, queueMs: 123.456789012345 });
    for (const kind of ["peer", "spot", "serverless", "on-demand"] as const)
      counts.add({ ...request(model, tenant, 0), sentTexts: 3, route: { kind, usd: 0.000_123_456_789_012 } });
    counts.addWork(request(model, tenant, 123.456789012345));
    for (const cause of ["queue", "deadline", "standby", "rate-limit", "error"] as const)
      counts.addRefused(aRefused({ model, tenant, cause, texts: 1234, tokens: 12_345 }));
  };
  for (let model = 0; model < 70; model += 1)
    for (let tenant = 0; tenant < 256; tenant += 1)
      offer(`model-${model}`.padEnd(128, "x"), longName(`tenant-${tenant}`));
  const traffic = { minuteStartMs: 0, observedMs: 60_000, ...counts.traffic() };
  for (const { tenants = [], requests, refused = [] } of traffic.models) {
    expect(tenants.reduce((sum, each) => sum + each.requests, 0)).toBe(requests);
    const ofTenants = tenants.flatMap((each) => each.refused ?? []);
    expect(ofTenants.reduce((sum, each) => sum + each.texts, 0)).toBe(
      refused.reduce((sum, each) => sum + each.texts, 0),
    );
  }
  expect(traffic.models).toHaveLength(64);
  expect(traffic.models.reduce((sum, { requests }) => sum + requests, 0)).toBe(5 * 70 * 256);
  expect(traffic.models.at(-1)?.model).toBe(otherNames);
  expect(traffic.models.at(-1)?.tenants?.map(({ tenant }) => tenant)).toEqual([otherNames]);
  const models = traffic.models.map(({ model, tenants = [] }) => ({
    model,
    energyJ: 1234.567890123,
    tenants: tenants.map(({ tenant }) => ({ tenant, energyJ: 1234.567890123 })),
  }));
  const minute = aMinute();
  const power = { ...(minute.power as NonNullable<typeof minute.power>), idleJ: 1, activeJ: 1, models };
  expect(encodeMessage(MinuteData, { ...minute, traffic, power }).length).toBeLessThan(maxMessageBytes);
});

test("what others computed is told by their kind, with its price; only what offers are paid is a tenant's cost", () => {
  const counts = createMinuteCounts();
  const sent = (kind: "peer" | "spot" | "on-demand", usd: number, tenant = "red") =>
    counts.add({ ...request("m", tenant, 0), sentTexts: 3, route: { kind, usd } });
  sent("peer", 1);
  sent("spot", 0.25);
  sent("spot", 0.5);
  sent("on-demand", 2, "blue");
  counts.add(request("m", "red"));
  const [model] = counts.traffic().models;
  expect(model).toMatchObject({ requests: 5, texts: 15, sentTexts: 12, offersUsd: 2.75 });
  expect(model?.routes).toEqual([
    { kind: "peer", requests: 1, texts: 3, usd: 1 },
    { kind: "spot", requests: 2, texts: 6, usd: 0.75 },
    { kind: "on-demand", requests: 1, texts: 3, usd: 2 },
  ]);
  expect(model?.tenants?.map(({ tenant, offersUsd }) => [tenant, offersUsd])).toEqual([
    ["red", 0.75],
    ["blue", 2],
  ]);
  expect(counts.workTexts()).toBe(3);
});

test("what was offered is told by cause, and what needed capacity excludes the cache and refusals that call for none", () => {
  const counts = createMinuteCounts();
  counts.add(aServed({ texts: 10, cachedTexts: 4, queueMs: 7 }));
  counts.add(aServed({ texts: 1, queueMs: 3 }));
  for (const [cause, texts] of [
    ["queue", 20],
    ["deadline", 30],
    ["standby", 40],
    ["rate-limit", 50],
    ["error", 60],
    ["queue", 2],
  ] as const)
    counts.addRefused(aRefused({ cause, texts, tokens: texts * 2 }));
  const traffic = counts.traffic();
  expect(traffic).toMatchObject({ errors: 2, rejected: 4 });
  const [model] = traffic.models;
  expect(model).toMatchObject({ requests: 2, texts: 11, cachedTexts: 4, queueMs: 10 });
  expect(model?.refused).toEqual([
    { cause: "queue", requests: 2, texts: 22, tokens: 44 },
    { cause: "deadline", requests: 1, texts: 30, tokens: 60 },
    { cause: "standby", requests: 1, texts: 40, tokens: 80 },
    { cause: "rate-limit", requests: 1, texts: 50, tokens: 100 },
    { cause: "error", requests: 1, texts: 60, tokens: 120 },
  ]);
  expect(counts.workTexts()).toBe(11 - 4 + 22 + 30 + 60);
  expect(demandOf(traffic)).toBe(counts.workTexts());
  expect(offeredTexts(model as ModelTraffic)).toBe(11 + 22 + 30 + 40 + 50 + 60);
});

test("a model that only refused is on record, too", () => {
  const counts = createMinuteCounts();
  counts.addRefused(aRefused({ texts: 5 }));
  expect(counts.traffic().models).toMatchObject([{ model: "m", requests: 0, texts: 0, refused: [{ texts: 5 }] }]);
});
