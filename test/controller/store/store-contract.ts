import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import type { RatedMinute } from "#controller/store/costs/cost-rows.ts";
import type { NewDecision } from "#controller/store/decision-record.ts";
import type { ApiKey, MinuteRecord, Store, TenantJob, TenantReceipt } from "#controller/store/store.ts";
import { minuteMs } from "#platform/time.ts";
import type { MinuteData, ModelTraffic } from "#protocol/messages.ts";
import { aBirth, aDesired, aMinute, aPresence } from "../../fakes/builders.ts";
import { aDevice, aJoinToken } from "../../fakes/identity.ts";

const aDecision: NewDecision = {
  atMs: 1_000,
  kind: "hold",
  rule: "within-tolerance",
  reason: "nothing to do",
  agents: [],
  inputs: { peakQps: 12.5 },
  outcome: { activated: [], stoodBy: [], skipped: [] },
};

async function all(rows: AsyncIterable<MinuteRecord>): Promise<MinuteRecord[]> {
  const list: MinuteRecord[] = [];
  for await (const row of rows) list.push(row);
  return list;
}

/**
 * Tests that every adapter of the Store port passes. `open` begins with an empty store.
 * @param prunedUnitMs shortest time by which minutes are removed: an adapter may keep a day until all of it is over
 */
export function describeStore(
  name: string,
  open: () => Promise<{ store: Store; dispose(): Promise<void> }>,
  { prunedUnitMs = minuteMs }: { readonly prunedUnitMs?: number } = {},
): void {
  describe(`store contract: ${name}`, () => {
    let store: Store;
    let dispose: () => Promise<void>;
    beforeEach(async () => {
      ({ store, dispose } = await open());
    });
    afterEach(() => dispose());
    const insertAll = (count: number, minuteOf: (seq: number) => MinuteData) =>
      Promise.all(Array.from({ length: count }, (_, index) => store.insertMinute(minuteOf(index + 1))));

    test("an agent is read back as it was saved last", async () => {
      expect(await store.loadAgents()).toEqual([]);
      const agent = { agentId: "a", presence: null, birth: null, reported: null, lastHeardMs: 1 };
      await store.saveAgent(agent);
      const later = {
        ...agent,
        presence: aPresence({ agentId: "a" }),
        birth: aBirth({ agentId: "a" }),
        lastHeardMs: 2,
      };
      await store.saveAgent(later);
      expect(await store.loadAgents()).toEqual([later]);
    });

    test("jobs with tenants' data, and receipts: as they were saved last; removed together", async () => {
      const job: TenantJob = {
        ...{ id: "aaaaaaaa", kind: "erase", tenant: "red", pseudonym: "erased-1", nameHash: "0".repeat(64) },
        ...{ createdMs: 5, doneMs: null, agents: ["thor-1"] },
      };
      await store.saveTenantJob(job);
      await store.saveTenantJob({ ...job, id: "bbbbbbbb", createdMs: 4 });
      await store.saveTenantJob({ ...job, doneMs: 9 });
      expect(await store.loadTenantJobs()).toEqual([
        { ...job, id: "bbbbbbbb", createdMs: 4 },
        { ...job, doneMs: 9 },
      ]);
      const receipt: TenantReceipt = { of: "thor-1", atMs: 1, state: "done", stores: [] };
      await store.saveTenantReceipt(job.id, { ...receipt, state: "retired" });
      await store.saveTenantReceipt(job.id, receipt);
      await store.saveTenantReceipt(job.id, { ...receipt, of: "thor-2" });
      expect(await store.tenantReceipts(job.id, "", 1)).toEqual([receipt]);
      expect(await store.tenantReceipts(job.id, "thor-1", 9)).toEqual([{ ...receipt, of: "thor-2" }]);
      await store.removeTenantJob(job.id);
      expect(await store.tenantReceipts(job.id, "", 9)).toEqual([]);
      expect((await store.loadTenantJobs()).map(({ id }) => id)).toEqual(["bbbbbbbb"]);
    });

    test("a tenant is erased: its row and keys are gone, its name in records is another, other tenants and the audit log stay", async () => {
      const named = (seq: number, tenants: readonly string[]) => {
        const model: ModelTraffic = {
          ...{ model: "mini", requests: 1, texts: 1, tokens: 1, computeMs: 1, latencyCounts: new Array(23).fill(0) },
          tenants: tenants.map((tenant) => ({ tenant, requests: 1, texts: 1, tokens: 1, computeMs: 1 })),
        };
        const minute = aMinute({ seq, minuteStartMs: seq * 60_000 });
        return { ...minute, traffic: { ...minute.traffic, models: [model] } };
      };
      const settings = { suspended: false, models: null, regions: null, costCentre: null };
      const key: ApiKey = {
        ...{ id: "aaaaaaaa", name: "k", role: "embed" as const, hash: "0".repeat(64), createdAtMs: 2, tenant: "red" },
        ...{ expiresAtMs: null, revokedAtMs: null, lastUsedAtMs: null, replaces: null },
      };
      for (const id of ["red", "redder"]) await store.saveTenant({ id, createdAtMs: 1, settings });
      await store.saveKey(key);
      await store.saveKey({ ...key, id: "bbbbbbbb", tenant: "redder" });
      await store.insertMinute(named(1, ["red", "redder"]));
      await store.insertMinute(named(2, ["redder"]));
      await store.setAside(named(3, ["red"]), "why", 1, 9);
      await store.appendAudit({
        ...{ atMs: 1, actor: "root", role: "admin", from: "local", action: "tenants.create", target: "red" },
        ...{ phase: "done" as const, of: null, before: null, after: null, reason: null },
      });
      for (const tenant of ["red", "redder"])
        await store.insertDecision({
          ...{ atMs: 1, kind: "spending", rule: "limit", reason: `budget of ${tenant}`, agents: [] },
          ...{ inputs: { tenant, change: { tenant } }, outcome: { activated: [], stoodBy: [], skipped: [] } },
        });
      expect((await store.setAsideNaming("red")).map(({ seq }) => seq)).toEqual([3]);
      const rows = { minute: 1, costs: 0, decision: 1, setAside: 1, tenant: 1, key: 1, kept: 0, audit: 1 };
      expect(await store.eraseTenant("red", "erased-1")).toEqual(rows);
      expect(await store.eraseTenant("red", "erased-1")).toEqual({
        ...rows,
        minute: 0,
        decision: 0,
        setAside: 0,
        tenant: 0,
        key: 0,
      });
      await store.wipeOverwritten();
      const limits = await store.decisions({ kind: "spending", limit: 9 });
      expect(limits.map(({ inputs }) => inputs["tenant"])).toEqual(["redder", "erased-1"]);
      expect(JSON.stringify(limits)).not.toMatch(/\bred\b/);
      expect((await store.loadTenants()).map(({ id }) => id)).toEqual(["redder"]);
      expect((await store.loadKeys()).keys.map(({ id }) => id)).toEqual(["bbbbbbbb"]);
      const names = (await all(store.minutes(0, 1e9))).map(({ traffic }) =>
        traffic.models.flatMap(({ tenants = [] }) => tenants.map(({ tenant }) => tenant)),
      );
      expect(names).toEqual([["erased-1", "redder"], ["redder"]]);
      expect(await store.setAsideNaming("red")).toEqual([]);
      expect((await store.setAsideNaming("erased-1")).map(({ seq }) => seq)).toEqual([3]);
    });

    test("cost lines of a tenant in a stretch of time are counted under another name, which may have lines already", async () => {
      const rated = (tenants: readonly string[]): RatedMinute => ({
        ...{ region: "eu", priceKey: "p", gaps: "" },
        device: { energy: 1n, owning: 1n, energyKwh: 1, observedMs: 1, measuredMs: 1, computeMs: 1 },
        work: tenants.map((tenant) => ({
          ...{ tenant, model: "mini", used: 3_000_001n, offers: 0n, activeKwh: 1 },
          ...{ computeMs: 1, requests: 2, tokens: 5 },
        })),
      });
      const hourMs = 3_600_000;
      for (const [hour, tenants] of [["red"], ["red", "(expired)", "blue"], ["red"], ["red"]].entries())
        await store.insertMinute(aMinute({ seq: hour + 1, minuteStartMs: hour * hourMs }), "eu", rated(tenants));
      expect(await store.renameCosts("red", "(expired)", hourMs, 3 * hourMs)).toBe(2);
      expect(await store.renameCosts("red", "(expired)", hourMs, 3 * hourMs)).toBe(0);
      const lines = async (hour: number) => {
        const query = { span: "hour", startMs: hour * hourMs, endMs: (hour + 1) * hourMs, of: "together" } as const;
        return (await store.workCosts(query))
          .map(({ tenant, used, requests }) => `${tenant} ${used} ${requests}`)
          .sort();
      };
      expect(await lines(0)).toEqual(["red 3000001 2"]);
      expect(await lines(1)).toEqual(["(expired) 6000002 4", "blue 3000001 2"]);
      expect(await lines(2)).toEqual(["(expired) 3000001 2"]);
      expect(await lines(3)).toEqual(["red 3000001 2"]);
    });

    test("keys: as they were saved last, the oldest first; a use never goes back in time", async () => {
      expect(await store.loadKeys()).toEqual({ keys: [], unreadable: 0 });
      const key: ApiKey = {
        ...{ id: "aaaaaaaa", name: "root", role: "admin" as const, hash: "0".repeat(64), createdAtMs: 2 },
        ...{ expiresAtMs: null, revokedAtMs: null, lastUsedAtMs: null, replaces: null, tenant: null },
      };
      const older: ApiKey = {
        ...key,
        scope: { models: ["mini"], regions: null },
        id: "bbbbbbbb",
        createdAtMs: 1,
        expiresAtMs: 9,
        replaces: "aaaaaaaa",
      };
      await store.saveKey(key);
      await store.saveKey(older);
      await store.saveKey({ ...key, revokedAtMs: 5 });
      await store.saveKeyUse("bbbbbbbb", 7);
      await store.saveKeyUse("bbbbbbbb", 6);
      await store.saveKeyUse("cccccccc", 6);
      const used = { ...older, lastUsedAtMs: 7 };
      expect(await store.loadKeys()).toEqual({ keys: [used, { ...key, revokedAtMs: 5 }], unreadable: 0 });
      await store.removeKey("bbbbbbbb");
      expect((await store.loadKeys()).keys.map(({ id }) => id)).toEqual(["aaaaaaaa"]);
    });

    test("tenants: as they were saved last, by name", async () => {
      const settings = { suspended: false, models: null, regions: ["eu"], costCentre: null };
      const red = { id: "red", createdAtMs: 2, settings };
      await store.saveTenant(red);
      await store.saveTenant({ ...red, id: "blue" });
      await store.saveTenant({ ...red, settings: { ...settings, suspended: true } });
      expect(await store.loadTenants()).toEqual([
        { ...red, id: "blue" },
        { ...red, settings: { ...settings, suspended: true } },
      ]);
      await store.removeTenant("blue");
      await store.removeTenant("green");
      expect((await store.loadTenants()).map(({ id }) => id)).toEqual(["red"]);
    });

    test("audit entries: in their order, each with the hash of the one before", async () => {
      const draft = {
        ...{ atMs: 5, actor: "root", role: "admin", from: "local", action: "keys.create", target: "t" },
        ...{ phase: "begun" as const, of: null, before: null, after: { a: [1] }, reason: "why" },
      };
      expect(await store.auditHead()).toBeNull();
      expect(await store.auditEntries(0, 10)).toEqual([]);
      const heads = await Promise.all([draft, { ...draft, atMs: 6 }, { ...draft, atMs: 7 }].map(store.appendAudit));
      expect(heads.map(({ seq }) => seq)).toEqual([1, 2, 3]);
      const rows = await store.auditEntries(1, 1);
      expect(rows).toEqual([
        { ...heads[1]!, entry: { ...draft, atMs: 6, seq: 2, prevHash: heads[0]?.hash as string } },
      ]);
      expect((await store.auditEntries(null, 2)).map(({ seq }) => seq)).toEqual([2, 3]);
      expect(await store.auditHead()).toEqual({ seq: 3, hash: heads[2]?.hash as string });
    });

    test("audit entries are removed from the start only, by age and by number, and that is recorded", async () => {
      const draft = {
        ...{ actor: "root", role: "admin", from: "local", action: "a", target: "t", phase: "done" as const },
        ...{ of: null, before: null, after: null, reason: null },
      };
      // The clock was wrong for the third.
      for (const atMs of [10, 20, 5, 30]) await store.appendAudit({ ...draft, atMs });
      expect(await store.pruneAudit(10, 100, 40)).toBe(0);
      expect(await store.auditHead()).toMatchObject({ seq: 4 });
      expect(await store.pruneAudit(20, 100, 40)).toBe(1);
      expect(await store.pruneAudit(0, 2, 50)).toBe(2);
      expect((await store.auditEntries(0, 10)).map(({ entry }) => [entry?.seq, entry?.action, entry?.after])).toEqual([
        [4, "a", null],
        [5, "audit.prune", { throughSeq: 1, hash: expect.any(String) }],
        [6, "audit.prune", { throughSeq: 3, hash: expect.any(String) }],
      ]);
    });

    test("a kept document: the last under its name, if it is what is expected", async () => {
      const Wanted = Type.Object({ count: Type.Integer() });
      expect(await store.loadKept("part", Wanted)).toBeNull();
      await store.saveKept("part", { count: 1 });
      await store.saveKept("part", { count: 2 });
      await store.saveKept("other", { count: "many" });
      expect(await store.loadKept("part", Wanted)).toEqual({ count: 2 });
      expect(store.unreadableRows()).toEqual([]);
      expect(await store.loadKept("other", Wanted)).toBeNull();
      expect(store.unreadableRows()).toMatchObject([{ table: "kept", rows: 1 }]);
    });

    test("join tokens and devices: the last of each", async () => {
      const token = aJoinToken({ usesLeft: 2 });
      await store.saveJoinToken(token);
      await store.saveJoinToken(aJoinToken({ id: "other00000", isApproved: false, revokedMs: 7 }));
      const joined = aDevice({ agentId: "a" });
      await store.saveDevice(joined);
      const revoked = aDevice({ agentId: "a", state: "revoked", reason: "stolen" });
      await store.saveDevice(revoked, { ...token, usesLeft: 1 });
      await store.saveDevice(aDevice({ agentId: "b" }));
      await store.removeDevice("b");
      await store.removeJoinToken("gone000000");
      expect(await store.loadDevices()).toEqual([revoked]);
      const tokens = await store.loadJoinTokens();
      expect(tokens).toContainEqual({ ...token, usesLeft: 1 });
      expect(tokens).toContainEqual(aJoinToken({ id: "other00000", isApproved: false, revokedMs: 7 }));
      await store.removeJoinToken("other00000");
      expect(await store.loadJoinTokens()).toHaveLength(1);
    });

    test("desired documents and overrides: the last of each agent", async () => {
      await store.saveDesired(aDesired({ version: 1 }));
      await store.saveDesired(aDesired({ version: 2, role: "standby" }));
      expect(await store.loadDesired()).toEqual([aDesired({ version: 2, role: "standby" })]);
      const override = {
        agentId: "a",
        role: null,
        powerMode: "70W",
        powerModeCap: "90W",
        createdAtMs: 1,
        expiresAtMs: 5,
      };
      await store.saveOverride({ ...override, powerMode: null });
      await store.saveOverride(override);
      expect(await store.loadOverrides()).toEqual([override]);
      await store.removeOverride("a");
      await store.removeOverride("never there");
      expect(await store.loadOverrides()).toEqual([]);
    });

    test("a minute is kept once, and the same that comes again is a repeat", async () => {
      expect(await store.insertMinute(aMinute({ requests: 5 }))).toBe("new");
      expect(await store.insertMinute(aMinute({ requests: 5, historical: true, sentAtMs: 9 }))).toBe("repeat");
      const [row, ...more] = await all(store.minutes(0, 1e12));
      expect(more).toEqual([]);
      expect(row?.traffic.models[0]?.requests).toBe(5);
      expect(row?.historical).toBe(false);
    });

    describe("what users were given", () => {
      const hourMs = 3_600_000;
      const refused = (cause: "queue" | "deadline" | "standby" | "rate-limit" | "error", requests: number) => ({
        ...{ cause, requests, texts: requests, tokens: 0 },
      });
      const minuteOf = (seq: number, minuteStartMs: number, given: Partial<ModelTraffic> = {}, agentId = "a") => {
        const minute = aMinute({ agentId, seq, minuteStartMs, requests: 10 });
        const [model] = minute.traffic.models;
        return { ...minute, traffic: { ...minute.traffic, models: [{ ...model!, ...given }] } };
      };

      test("minutes add up by region and model, each once", async () => {
        const causes = [refused("queue", 1), refused("deadline", 2), refused("standby", 3)];
        const first = minuteOf(1, 0, { refused: [...causes, refused("rate-limit", 4), refused("error", 5)] });
        await store.insertMinute(first, "hall");
        await store.insertMinute(first, "hall");
        await store.insertMinute(minuteOf(2, 60_000), "hall");
        await store.insertMinute(minuteOf(1, 60_000, {}, "b"), "yard");
        await store.insertMinute(minuteOf(2, 60_000, { model: "large" }, "b"), "yard");
        const rows = await store.service("five-minutes", 0);
        expect(rows.map(({ region, model, requests }) => `${region} ${model} ${requests}`)).toEqual([
          ...["hall mini 20", "yard large 10", "yard mini 10"],
        ]);
        expect(rows[0]).toMatchObject({ queue: 1, deadline: 2, standby: 3, rateLimit: 4, error: 5 });
        expect(rows[0]?.latencyCounts.reduce((sum, count) => sum + count)).toBe(20);
        expect(await store.service("hour", 0)).toEqual(rows);
      });

      test("of agents of earlier versions what they refused, of no model", async () => {
        const minute = aMinute({ requests: 10 });
        await store.insertMinute({ ...minute, traffic: { ...minute.traffic, rejected: 7, errors: 2 } }, "hall");
        const standby = aMinute({ seq: 2, minuteStartMs: 120_000, role: "standby" });
        await store.insertMinute({ ...standby, traffic: { ...standby.traffic, models: [], rejected: 9 } }, "hall");
        expect(await store.service("hour", 0)).toMatchObject([
          ...[
            { model: "", queue: 7, error: 2, requests: 0 },
            { model: "mini", requests: 10, queue: 0 },
          ],
        ]);
      });

      test("in steps, from the one that holds the time", async () => {
        for (const [seq, minuteStartMs] of [0, 299_999, 300_000, hourMs].entries())
          await store.insertMinute(minuteOf(seq + 1, minuteStartMs));
        const requests = async (step: "five-minutes" | "hour", startMs: number) =>
          (await store.service(step, startMs)).map((row) => row.requests);
        expect(await requests("five-minutes", 299_999)).toEqual([20, 10, 10]);
        expect(await requests("five-minutes", 300_000)).toEqual([10, 10]);
        expect(await requests("hour", hourMs - 1)).toEqual([30, 10]);
        expect(await requests("hour", hourMs)).toEqual([10]);
      });

      test("five minutes are kept for a day, hours for a year; what lies in the future goes", async () => {
        const nowMs = 500 * 24 * hourMs;
        for (const [seq, agoH] of [-30, 1, 24, 26, 24 * 399, 24 * 401].entries())
          await store.insertMinute(minuteOf(seq + 1, nowMs - agoH * hourMs));
        await store.pruneService(nowMs, 400 * 86_400_000);
        expect(await store.service("five-minutes", 0)).toHaveLength(2);
        expect(await store.service("hour", 0)).toHaveLength(4);
      });

      test("names beyond a hundred count together", async () => {
        for (let seq = 1; seq <= 103; seq += 1) await store.insertMinute(minuteOf(seq, 0, { model: `made-up-${seq}` }));
        await store.insertMinute(minuteOf(104, 0, { model: "made-up-1" }));
        const rows = await store.service("hour", 0);
        expect(rows).toHaveLength(101);
        const of = (name: string) => rows.find(({ model }) => model === name)?.requests;
        expect([of("(other)"), of("made-up-1")]).toEqual([30, 20]);
      });
    });

    test("other figures of a minute that is kept are told from a repeat, and change nothing", async () => {
      await store.insertMinute(aMinute({ requests: 5 }));
      expect(await store.insertMinute(aMinute({ requests: 7 }))).toBe("contradicts");
      expect(await store.insertMinute(aMinute({ requests: 5, power: null }))).toBe("contradicts");
      expect(await store.fleetMinutes(0, 1e12)).toEqual([{ minuteStartMs: 60_000, texts: 5 }]);
    });

    test("another minute under a name that is taken is kept beside the first, once", async () => {
      await store.insertMinute(aMinute({ minuteStartMs: 60_000, requests: 5 }));
      const real = aMinute({ minuteStartMs: 120_000, requests: 7 });
      expect(await store.insertMinute(real)).toBe("kept-beside");
      expect(await store.insertMinute(real)).toBe("repeat");
      expect((await all(store.minutes(0, 1e12))).map(({ traffic }) => traffic.models[0]?.requests)).toEqual([5, 7]);
      expect(await store.lastSeq("thor-1", "boot-1")).toBe(1);
      expect(store.unreadableRows()).toEqual([]);
    });

    test("what is kept of an agent's hour", async () => {
      const hourMs = 3_600_000;
      for (const [seq, minuteStartMs] of [0, 60_000, hourMs - 60_000, hourMs].entries()) {
        await store.insertMinute(aMinute({ seq: seq + 1, minuteStartMs }));
        await store.insertMinute(aMinute({ seq: seq + 1, minuteStartMs, agentId: "thor-2" }));
      }
      const use = await store.hourUse("thor-1", 0);
      expect(use).toMatchObject({ rows: 3, observedMs: 180_000, measuredMs: 180_000 });
      expect(use.bytes).toBeGreaterThan(3 * 100);
      expect(await store.hourUse("thor-3", 0)).toEqual({ rows: 0, bytes: 0, observedMs: 0, measuredMs: 0 });
      expect([await store.hasMinutes("thor-1"), await store.hasMinutes("thor-3")]).toEqual([true, false]);
      const hour = await store.minutesInHour("thor-1", 0);
      expect(hour.map(({ agentId, traffic }) => [agentId, traffic.minuteStartMs])).toEqual([
        ["thor-1", 0],
        ["thor-1", 60_000],
        ["thor-1", hourMs - 60_000],
      ]);
      expect(hour[0]).toEqual((await all(store.minutes(0, 1, "thor-1")))[0]);
      expect((await store.minutesInHour("thor-2", hourMs)).map(({ seq }) => seq)).toEqual([4]);
      expect(await store.minutesInHour("thor-3", 0)).toEqual([]);
    });

    test("minutes of a future that no clock here has seen are removed, those of a clock that was set back are not", async () => {
      const dayMs = 86_400_000;
      for (const [seq, day] of [1, 2, 300_000].entries())
        await store.insertMinute(aMinute({ seq: seq + 1, minuteStartMs: day * dayMs }));
      await store.insertDecision({ ...aDecision, atMs: 2 * dayMs });
      expect(await store.pruneMinutes(0, 0)).toBe(1);
      expect((await all(store.minutes(0, 1e15))).map(({ seq }) => seq)).toEqual([1, 2]);
    });

    test("beyond its size the oldest minutes go", async () => {
      const reason = "x".repeat(500);
      const forecast = { madeAtMs: 1, model: "m", reason, stepMs: 60_000, qps: new Array(240).fill(1234.56789) };
      await insertAll(6000, (seq) => aMinute({ seq, minuteStartMs: seq * 60_000, forecast }));
      expect(await store.pruneToSize(Number.MAX_SAFE_INTEGER)).toBe(0);
      const before = store.usedBytes();
      expect(before).toBeGreaterThan(4_000_000);
      expect(await store.pruneToSize(before)).toBe(0);
      expect(await store.pruneToSize(before * 0.6)).toBeGreaterThan(1999);
      expect(store.usedBytes()).toBeLessThanOrEqual(before * 0.6);
      const [oldest] = await all(store.minutes(0, 1e12));
      expect(oldest?.seq).toBeGreaterThan(2000);
      await store.pruneToSize(1);
      expect(await all(store.minutes(0, 1e12))).toEqual([]);
    });

    test("what is set aside is kept once, in bounds, and is no part of the record", async () => {
      for (let seq = 1; seq <= 5; seq += 1) await store.setAside(aMinute({ seq }), `reason ${seq}`, seq, 3);
      await store.setAside(aMinute({ seq: 5, sentAtMs: 7 }), "again", 9, 3);
      const rows = async () => (await store.listSetAside("thor-1", 10)).map(({ seq, reason }) => [seq, reason]);
      expect(await rows()).toEqual([
        [5, "reason 5"],
        [4, "reason 4"],
        [3, "reason 3"],
      ]);
      expect(await all(store.minutes(0, 1e12))).toEqual([]);
      expect(await store.pruneSetAside(4, 100)).toBe(1);
      expect(await store.pruneSetAside(0, 1)).toBe(1);
      expect(await rows()).toEqual([[5, "reason 5"]]);
    });

    test("an agent that has left is forgotten, its minutes are not", async () => {
      await store.saveAgent({ agentId: "thor-1", presence: null, birth: null, reported: null, lastHeardMs: 1 });
      await store.saveDesired(aDesired());
      await store.insertMinute(aMinute());
      await store.removeAgent("thor-1");
      await store.removeDesired("thor-1");
      expect(await store.loadAgents()).toEqual([]);
      expect(await store.loadDesired()).toEqual([]);
      expect(await store.hasMinutes("thor-1")).toBe(true);
    });

    test("the lease: one holder at a time, until it gives it up or it ends", async () => {
      const take = (holder: string, forMs = 60_000) =>
        store.takeLease({ holder, about: `process of ${holder}`, apiUrl: "http://a", realNowMs: Date.now(), forMs });
      expect(await store.lease()).toBeNull();
      expect([await take("a"), await take("a"), await take("b")]).toEqual([true, true, false]);
      expect(await store.lease()).toMatchObject({ holder: "a", about: "process of a" });
      await store.giveUpLease("b");
      expect(await take("b")).toBe(false);
      await store.giveUpLease("a");
      expect(await store.lease()).toBeNull();
      expect(await take("b", 1)).toBe(true);
      await Bun.sleep(5);
      expect(await take("a")).toBe(true);
    });

    test("notes push out no decision", async () => {
      const decision = await store.insertDecision(aDecision);
      for (let each = 0; each < 50; each += 1) await store.insertDecision({ ...aDecision, kind: "note" });
      expect(await store.pruneDecisions(0, 5, 10)).toBe(40);
      expect(await store.decision(decision)).not.toBeNull();
      expect((await store.decisions({ limit: 100, kind: "note" })).length).toBe(10);
    });

    test("holds without end push out no other decision, nor the newest holds", async () => {
      const change = await store.insertDecision({ ...aDecision, kind: "scale-out" });
      const ids: number[] = [];
      for (let each = 0; each < 50; each += 1) ids.push(await store.insertDecision({ ...aDecision, kind: "hold" }));
      expect(await store.pruneDecisions(0, 10, 10)).toBe(41);
      expect(await store.decision(change)).not.toBeNull();
      expect((await store.decisions({ limit: 100, kind: "hold" })).map(({ id }) => id)).toEqual(
        ids.slice(-9).reverse(),
      );
      // With many changes as well, holds are left half.
      for (let each = 0; each < 50; each += 1) await store.insertDecision({ ...aDecision, kind: "scale-out" });
      await store.pruneDecisions(0, 10, 10);
      expect(await store.decisions({ limit: 100 })).toHaveLength(10);
    });

    test("the same seq of another boot or agent is another minute", async () => {
      await store.insertMinute(aMinute());
      expect(await store.insertMinute(aMinute({ bootId: "boot-2" }))).toBe("new");
      expect(await store.insertMinute(aMinute({ agentId: "thor-2" }))).toBe("new");
      expect(await store.fleetMinutes(0, 1e12)).toEqual([{ minuteStartMs: 60_000, texts: 1800 }]);
    });

    test("minutes come by time, within the window's bounds, of one agent when asked", async () => {
      for (const [seq, minuteStartMs] of [180_000, 60_000, 120_000].entries()) {
        await store.insertMinute(aMinute({ seq: seq + 1, minuteStartMs }));
        await store.insertMinute(aMinute({ seq: seq + 1, minuteStartMs, agentId: "thor-2" }));
      }
      const starts = (rows: MinuteRecord[]) => rows.map(({ traffic }) => traffic.minuteStartMs);
      expect(starts(await all(store.minutes(60_000, 180_000)))).toEqual([60_000, 60_000, 120_000, 120_000]);
      const [only, ...others] = await all(store.minutes(120_000, 120_001, "thor-2"));
      expect(only?.agentId).toBe("thor-2");
      expect(others).toEqual([]);
      expect(await store.fleetMinutes(120_000, 180_000)).toEqual([{ minuteStartMs: 120_000, texts: 1200 }]);
    });

    test("a window of more minutes than one page is whole", async () => {
      await insertAll(4100, (seq) => aMinute({ seq, minuteStartMs: Math.floor(seq / 3) * 60_000 }));
      const seqs = (await all(store.minutes(0, 1e12))).map(({ seq }) => seq);
      expect(new Set(seqs).size).toBe(4100);
      expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    });

    test("a window of minutes as large as a message may be is whole", async () => {
      const model = aMinute().traffic.models[0] as ModelTraffic;
      const part = { requests: 1, texts: 1, tokens: 1, computeMs: 1 };
      const tenants = Array.from({ length: 500 }, (_, each) => ({ tenant: `tenant-${each}`.padEnd(64), ...part }));
      const models = ["a", "b", "c", "d"].map((name) => ({ ...model, model: name, tenants }));
      for (let seq = 1; seq <= 60; seq += 1) {
        const minute = aMinute({ seq, minuteStartMs: Math.floor(seq / 4) * 60_000 });
        await store.insertMinute({ ...minute, traffic: { ...minute.traffic, models } });
      }
      const seqs = (await all(store.minutes(0, 1e12))).map(({ seq }) => seq);
      expect(seqs).toEqual(Array.from({ length: 60 }, (_, each) => each + 1));
    });

    test("without power and forecast a minute has null, not zero", async () => {
      await store.insertMinute(aMinute({ power: null }));
      const [row] = await all(store.minutes(0, 1e12));
      expect(row?.power).toBeNull();
      expect(row?.forecast).toBeNull();
    });

    test("the last seq of a boot", async () => {
      expect(await store.lastSeq("thor-1", "boot-1")).toBeNull();
      await store.insertMinute(aMinute({ seq: 9 }));
      await store.insertMinute(aMinute({ seq: 4 }));
      expect(await store.lastSeq("thor-1", "boot-1")).toBe(9);
      expect(await store.lastSeq("thor-1", "boot-2")).toBeNull();
    });

    test("old minutes are removed, younger ones are not", async () => {
      await store.insertMinute(aMinute({ seq: 1, minuteStartMs: prunedUnitMs }));
      await store.insertMinute(aMinute({ seq: 2, minuteStartMs: 2 * prunedUnitMs }));
      expect(await store.pruneMinutes(2 * prunedUnitMs, 2 * prunedUnitMs)).toBe(1);
      expect((await all(store.minutes(0, 1e12))).map(({ seq }) => seq)).toEqual([2]);
    });

    test("a decision is read back with all it rests on; a repetition is counted", async () => {
      const id = await store.insertDecision(aDecision);
      const newest = { atMs: 61_000, reason: "still enough", inputs: { peakQps: 18 } };
      await store.repeatDecision(id, newest);
      const { reason, inputs } = newest;
      expect(await store.decision(id)).toEqual({ ...aDecision, id, reason, inputs, lastAtMs: 61_000, repeats: 2 });
      expect(await store.decision(id + 1)).toBeNull();
    });

    test("what came of a decision is written down as it becomes known", async () => {
      const id = await store.insertDecision(aDecision);
      const outcome = { ...aDecision.outcome, done: [{ agentId: "a", afterS: 4 }], late: [] };
      await store.updateOutcome(id, outcome);
      await store.updateOutcome(id + 1, outcome);
      expect(await store.decision(id)).toMatchObject({ outcome });
      expect(await store.decision(id + 1)).toBeNull();
    });

    test("decisions are listed newest first and filtered", async () => {
      const hold = await store.insertDecision(aDecision);
      const out = await store.insertDecision({ ...aDecision, atMs: 2_000, kind: "scale-out", agents: ["a", "b"] });
      const ids = async (filter: object) => (await store.decisions({ limit: 10, ...filter })).map(({ id }) => id);
      expect(await ids({})).toEqual([out, hold]);
      expect(await ids({ limit: 1 })).toEqual([out]);
      expect(await ids({ kind: "hold" })).toEqual([hold]);
      expect(await ids({ changesOnly: true })).toEqual([out]);
      expect(await ids({ agentId: "b" })).toEqual([out]);
      expect(await ids({ agentId: "c" })).toEqual([]);
      expect(await ids({ sinceMs: 1_500 })).toEqual([out]);
      expect(await ids({ untilMs: 1_500 })).toEqual([hold]);
      expect(await ids({ beforeId: out })).toEqual([hold]);
      expect(await ids({ beforeId: hold })).toEqual([]);
      expect(await ids({ rule: aDecision.rule })).toEqual([out, hold]);
      expect(await ids({ rule: "another" })).toEqual([]);
    });

    test("decisions are counted by kind and rule, most frequent first", async () => {
      expect(await store.decisionRules()).toEqual([]);
      await store.insertDecision(aDecision);
      for (const _ of [1, 2]) await store.insertDecision({ ...aDecision, kind: "scale-out", rule: "peak" });
      expect(await store.decisionRules()).toEqual([
        { kind: "scale-out", rule: "peak", count: 2 },
        { kind: aDecision.kind, rule: aDecision.rule, count: 1 },
      ]);
    });

    test("old decisions are removed by when they were last made", async () => {
      const repeated = await store.insertDecision(aDecision);
      await store.insertDecision(aDecision);
      await store.repeatDecision(repeated, { ...aDecision, atMs: 50_000 });
      expect(await store.pruneDecisions(10_000, 100, 100)).toBe(1);
      expect((await store.decisions({ limit: 10 })).map(({ id }) => id)).toEqual([repeated]);
    });

    test("of many decisions the newest are kept", async () => {
      const ids: number[] = [];
      for (let each = 0; each < 5; each += 1) ids.push(await store.insertDecision(aDecision));
      expect(await store.pruneDecisions(0, 2, 100)).toBe(3);
      expect((await store.decisions({ limit: 10 })).map(({ id }) => id)).toEqual(ids.slice(-2).reverse());
      expect(await store.pruneDecisions(0, 2, 100)).toBe(0);
    });
  });
}
