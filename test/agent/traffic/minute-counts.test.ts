import { expect, test } from "bun:test";
import { createMinuteCounts, otherTenants } from "#agent/traffic/minute-counts.ts";
import { encodeMessage, maxMessageBytes } from "#protocol/codec.ts";
import { MinuteData } from "#protocol/messages.ts";
import { aMinute } from "../../fakes/builders.ts";

const request = (model: string, tenant: string, computeMs = 2) => ({
  model,
  tenant,
  texts: 3,
  tokens: 24,
  latencyMs: 4,
  computeMs,
});

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
  expect(counts.texts()).toBe(12);
});

test("where only the default tenant asked, none is named: the record is what agents without tenants write", () => {
  const counts = createMinuteCounts();
  counts.add(request("m", "default"));
  expect(counts.traffic().models[0]).not.toHaveProperty("tenants");
});

test("with more models and tenants than a message can hold the rest is counted together, and nothing is lost", () => {
  const counts = createMinuteCounts();
  const longName = (name: string) => name.padEnd(64, "x");
  for (let model = 0; model < 64; model += 1)
    for (let tenant = 0; tenant < 256; tenant += 1)
      counts.add(request(`model-${model}`.padEnd(100, "x"), longName(`tenant-${tenant}`), 123.456789012345));
  const traffic = { minuteStartMs: 0, observedMs: 60_000, ...counts.traffic() };
  for (const model of traffic.models) {
    expect(model.tenants?.reduce((sum, { requests }) => sum + requests, 0)).toBe(model.requests);
  }
  expect(traffic.models.at(-1)?.tenants?.map(({ tenant }) => tenant)).toEqual([otherTenants]);
  const models = traffic.models.map(({ model, tenants = [] }) => ({
    model,
    energyJ: 1234.567890123,
    tenants: tenants.map(({ tenant }) => ({ tenant, energyJ: 1234.567890123 })),
  }));
  const minute = aMinute();
  const power = { ...(minute.power as NonNullable<typeof minute.power>), idleJ: 1, activeJ: 1, models };
  expect(encodeMessage(MinuteData, { ...minute, traffic, power }).length).toBeLessThan(maxMessageBytes);
});
