import { beforeEach, describe, expect, test } from "bun:test";
import { QuotaUse } from "#agent/access/quota-use.ts";
import { TenantQuotas } from "#agent/serving/tenants/tenant-quotas.ts";
import { TenantQuotaParts } from "#controller/access/quota-parts.ts";
import type { KeptStore, Tenant } from "#controller/store/store.ts";
import { dayMs, minuteMs } from "#platform/time.ts";
import type { TenantQuotas as Told } from "#protocol/messages.ts";
import { seededRandom } from "../../agent/serving/batching/simulated-queue.ts";
import { aMinute } from "../../fakes/builders.ts";

const start = Date.parse("2026-11-30T00:00:00Z");
let nowMs: number;
let agents: number;
let settings: Record<string, Tenant["settings"]>;
let kept: unknown;
let saves: number;
const store: KeptStore = {
  async saveKept(_, document) {
    saves += 1;
    kept = JSON.parse(JSON.stringify(document));
  },
  loadKept: async () => kept as never,
};
const opened = async () => {
  const parts = new TenantQuotaParts({
    agents: () => agents,
    settingsOf: (id) => settings[id],
    store,
    nowMs: () => nowMs,
  });
  await parts.load();
  return parts;
};
const of = (given: Partial<Tenant["settings"]>): Tenant["settings"] => ({
  ...{ suspended: false, models: null, regions: null, costCentre: null },
  ...given,
});

beforeEach(() => {
  nowMs = start + dayMs / 2;
  agents = 4;
  settings = { red: of({ requestsPerDay: 1_000 }) };
  kept = null;
  saves = 0;
});

/** A minute of an agent in which a tenant's requests were answered and refused. */
function minute(agentId: string, requests: number, refused = 0, tenant = "red", minuteStartMs = nowMs - minuteMs) {
  const answered = { requests, texts: requests, tokens: 10 * requests, computeMs: 1 };
  const given = aMinute({ agentId, minuteStartMs, requests });
  const [model] = given.traffic.models;
  const by =
    refused === 0
      ? {}
      : { refused: [{ cause: "rate-limit" as const, requests: refused, texts: refused, tokens: 10 * refused }] };
  return {
    ...given,
    traffic: { ...given.traffic, models: [{ ...model!, tenants: [{ tenant, ...answered, ...by }] }] },
  };
}

describe("the controller's division", () => {
  test("begins with a small part for each, and gives more to who uses it", async () => {
    const parts = await opened();
    expect(parts.of("red")).toEqual({
      timeZone: "UTC",
      day: { requests: 1_000, texts: null, tokens: null },
      dayParts: { name: "2026-11-30", parts: [], otherPart: 0.0125 },
    });
    parts.add(minute("a", 5, 5));
    const [own] = parts.of("red")!.dayParts!.parts;
    // Ten requests per minute count half at first: two hours of that beside the five.
    expect(own).toMatchObject({ agentId: "a", next: 0.0125 });
    expect(own!.part).toBeGreaterThan(0.4);
    expect(own!.part).toBeLessThan(0.61);
    const before = own!.part;
    nowMs += minuteMs;
    parts.add(minute("a", 1));
    expect(parts.of("red")!.dayParts!.parts[0]!.part).toBe(before);
  });

  test("knows nothing of tenants without quotas and of minutes of a day that is over", async () => {
    const parts = await opened();
    parts.add(minute("a", 5, 0, "blue"));
    expect(parts.of("blue")).toBeUndefined();
    parts.add(minute("a", 500, 0, "red", start - minuteMs));
    expect(parts.of("red")!.dayParts!.parts).toEqual([]);
  });

  test("is kept before it is told, and goes on after a restart; a removed tenant is forgotten", async () => {
    const parts = await opened();
    parts.add(minute("a", 50));
    const told = parts.of("red");
    await parts.save();
    await parts.save();
    expect(saves).toBe(1);
    expect((await opened()).of("red")).toEqual(told);
    settings = {};
    await parts.save();
    expect(kept).toEqual({});
  });

  test("lists fewer agents of each tenant the more tenants there are, so that agents can be told", async () => {
    settings = Object.fromEntries(Array.from({ length: 100 }, (_, number) => [`t${number}`, settings["red"]!]));
    const parts = await opened();
    for (const tenant of Object.keys(settings)) parts.of(tenant);
    for (let number = 0; number < 10; number += 1) parts.add(minute(`a${number}`, 5, 0, "t7"));
    expect(parts.of("t7")!.dayParts!.parts).toHaveLength(3);
    expect(parts.of("t8")!.dayParts!.parts).toEqual([]);
  });

  test("what could not be kept is tried again", async () => {
    let isFull = true;
    const full: KeptStore = {
      ...store,
      saveKept: async (...given) => (isFull ? Promise.reject(new Error("full")) : store.saveKept(...given)),
    };
    const parts = new TenantQuotaParts({
      agents: () => agents,
      settingsOf: (id) => settings[id],
      store: full,
      nowMs: () => nowMs,
    });
    parts.add(minute("a", 50));
    await expect(parts.save()).rejects.toThrow("full");
    isFull = false;
    await parts.save();
    expect(saves).toBe(1);
  });

  test("the next day begins with what was told before, the one after that by use", async () => {
    const parts = await opened();
    parts.add(minute("a", 30));
    parts.add(minute("b", 10));
    nowMs += dayMs;
    expect(parts.of("red")!.dayParts).toEqual({
      ...{ name: "2026-12-01", otherPart: 0.0125 },
      parts: [
        { agentId: "a", part: 0.0125, next: 0.3875 },
        { agentId: "b", part: 0.0125, next: 0.1375 },
      ],
    });
    parts.add(minute("a", 1));
    nowMs += dayMs;
    // A clock that goes back does not give the day out again.
    const third = parts.of("red")!.dayParts!;
    expect(third).toMatchObject({ name: "2026-12-02", parts: [{ agentId: "a", part: 0.3875 }] });
    nowMs -= dayMs;
    expect(parts.of("red")!.dayParts).toEqual(third);
  });
});

/** An agent that holds what it was told last, and its use on a disk. */
function agentOf(agentId: string) {
  let text: string | null = null;
  const disk = {
    load: () => text,
    save(written: string) {
      text = written;
    },
  };
  const held = { quotas: undefined as Told | undefined };
  const open = () =>
    new TenantQuotas({
      ...{ agentId, tenant: () => (held.quotas === undefined ? {} : { quotas: held.quotas }), nowMs: () => nowMs },
      use: new QuotaUse(disk),
    });
  let quotas = open();
  return {
    agentId,
    held,
    ask(tokens: number): boolean {
      if (quotas.refusal("red") !== null) return false;
      quotas.count("red", { requests: 1, texts: 1, tokens });
      return true;
    },
    crash() {
      quotas = open();
    },
  };
}

test.each([1, 2, 3])("whatever happens, agents never let more through than the quota (seed %d)", async (seed) => {
  const random = seededRandom(seed);
  const quota = 2_000;
  settings = { red: of({ requestsPerDay: quota, requestsPerMonth: 10 * quota, quotaTimeZone: "Europe/Berlin" }) };
  agents = 5;
  let parts = await opened();
  const fleet = Array.from({ length: agents }, (_, index) => agentOf(`a${index}`));
  const tell = async () => {
    const told = parts.of("red");
    await parts.save();
    for (const agent of fleet) if (random() < 0.8) agent.held.quotas = told;
  };
  const first = parts.of("red");
  await parts.save();
  for (const agent of fleet) agent.held.quotas = first;
  const byDay = new Map<string, number>();
  let refused = 0;
  for (let turn = 0; turn < 800; turn += 1) {
    nowMs += 5 * minuteMs * random();
    // Its day by the zone: an hour ahead of UTC in winter.
    const day = new Date(nowMs + 60 * minuteMs).toISOString().slice(0, 10);
    for (const agent of fleet) {
      const busy = (turn + Number(agent.agentId.slice(1)) * 160) % 800 < 320;
      let answered = 0;
      let turnedAway = 0;
      for (let request = 0; request < (busy ? 12 * random() : random()); request += 1) {
        if (agent.ask(1)) answered += 1;
        else turnedAway += 1;
      }
      byDay.set(day, (byDay.get(day) ?? 0) + answered);
      refused += turnedAway;
      if (random() < 0.01) agent.crash();
      if (random() < 0.7) parts.add(minute(agent.agentId, answered, turnedAway));
    }
    if (random() < 0.01) parts = await opened();
    await tell();
  }
  expect(refused).toBeGreaterThan(0);
  for (const [day, answered] of byDay) expect({ day, isWithin: answered <= quota }).toEqual({ day, isWithin: true });
  expect(Math.max(...byDay.values())).toBeGreaterThan(0.8 * quota);
});
