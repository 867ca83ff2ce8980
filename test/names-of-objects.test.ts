import { afterAll, describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { MeshConfig } from "#agent/mesh/mesh-config.ts";
import { Backends } from "#agent/mesh/routing/backends.ts";
import type { MeshPeer } from "#agent/mesh/routing/remote.ts";
import { findModel } from "#agent/serving/models/find-model.ts";
import { TenantQuotaParts } from "#controller/access/quota-parts.ts";
import { Tenants } from "#controller/access/tenants.ts";
import { Identifier, TenantName } from "#protocol/bounds.ts";
import { ask, model, TestMesh } from "./agent/mesh/start-mesh.ts";
import { createMemoryStore } from "./controller/memory-store.ts";
import { aMinute } from "./fakes/builders.ts";

/** Names that every object has, which a tenant, an agent or a model may have, too. */
const inherited = ["constructor", "toString", "valueOf", "hasOwnProperty"];

describe("names that mean something else where they are used", () => {
  test.each(["__proto__", ".", "..", "", "a b", "a/b"])("%p is no tenant's", (name) => {
    expect(Value.Check(TenantName, name)).toBe(false);
  });

  test.each(["__proto__", ".", "..", ".a", "-a"])("%p is no agent's and no fleet's", (name) => {
    expect(Value.Check(Identifier, name)).toBe(false);
  });

  test.each([...inherited, "__proto", "a__proto__", "...", ".a", "a."])("%p may be a tenant's", (name) => {
    expect(Value.Check(TenantName, name)).toBe(true);
  });

  test("no tenant is made under a name that stands for an erased one", async () => {
    const tenants = new Tenants({ store: createMemoryStore(), nowMs: () => 0 });
    await expect(tenants.create("erased-xgjdsngu", {})).rejects.toThrow("are reserved for erased tenants");
    expect((await tenants.create("erased", {})).id).toBe("erased");
  });
});

describe("names that objects inherit are as good as others", () => {
  const mesh = new TestMesh();
  afterAll(() => mesh.stop());

  test("for tenants of a mesh", async () => {
    const apiKeys = inherited.map((tenant) => ({ key: `key-of-${tenant}`, tenant }));
    const member = await mesh.start("alone", {}, { apiKeys });
    for (const { key } of apiKeys)
      expect((await ask(member, `of ${key}`, { authorization: `Bearer ${key}` })).status).toBe(200);
  });

  test.each(inherited)("for models and agents of a mesh: %s", (name) => {
    const peer = (agentId: string): MeshPeer => ({
      ...{ agentId, bootId: "boot", url: "http://127.0.0.1:1", region: "eu", spaces: { [model]: "s" }, qps: 1 },
      ...{ usdPerRequest: 0, silent: false },
    });
    const config = Value.Parse(MeshConfig, {}) as MeshConfig;
    const backends = new Backends({
      ...{ config, ownId: "own", peers: () => [peer(name)], nowMs: () => 0, random: () => 0.5 },
    });
    expect(backends.commonSpace(name)).toBeNull();
    const candidatesOf = (regions: readonly string[] | null) =>
      backends.candidates({ model, space: "s", texts: 1, tokens: 1, regions }, null, backends.remotes(model), "");
    expect(candidatesOf(null).map(({ region }) => region)).toEqual(["eu"]);
    expect(candidatesOf(["eu"]).map(({ region }) => region)).toEqual([""]);
  });

  test.each(inherited)("for models that an agent looks for: %s", async (name) => {
    await expect((async () => findModel(name, null))()).rejects.toThrow(name);
  });

  test.each(inherited)("for tenants and agents with a part of a quota: %s", (name) => {
    const settings = { suspended: false, models: null, regions: null, costCentre: null, requestsPerDay: 1_000 };
    const nowMs = Date.parse("2026-11-30T12:00:00Z");
    const store = { saveKept: async () => undefined, loadKept: async () => null };
    const parts = new TenantQuotaParts({ agents: () => 2, settingsOf: () => settings, store, nowMs: () => nowMs });
    const minute = aMinute({ agentId: name, minuteStartMs: nowMs - 60_000, requests: 5 });
    const use = { tenant: name, requests: 5, texts: 5, tokens: 50, computeMs: 1 };
    const models = minute.traffic.models.map((each) => ({ ...each, tenants: [use] }));
    parts.add({ agentId: name, traffic: { ...minute.traffic, models } });
    const told = parts.of(name)?.dayParts?.parts ?? [];
    expect(told.map(({ agentId }) => agentId)).toEqual([name]);
    expect(told[0]?.part).toBeGreaterThan(0);
  });
});
