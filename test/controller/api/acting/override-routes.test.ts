import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Controller } from "#controller/controller.ts";
import { openRecords } from "#controller/open-records.ts";
import { createLogger } from "#platform/log.ts";
import { aBirth, aPresence } from "../../../fakes/builders.ts";
import { quietController } from "../../quiet-controller.ts";

const stateDir = mkdtempSync(join(tmpdir(), "thormesh-overrides-"));
let controller: Controller;
const ids = ["thor-a", "thor-b", "thor-c"];

beforeAll(async () => {
  const { store } = openRecords(stateDir, Date.now(), createLogger("test", "silent"));
  for (const agentId of ids) {
    const identity = { agentId, sentAtMs: Date.now() };
    await store.saveAgent({
      agentId,
      presence: aPresence({ ...identity, status: "online", role: "active" }),
      birth: aBirth(identity),
      reported: null,
      lastHeardMs: Date.now(),
    });
  }
  await store.close();
  controller = quietController(stateDir);
  await controller.start();
});
afterAll(async () => {
  await controller.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

async function send(method: string, path: string, body?: object) {
  const answer = await fetch(controller.url + path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: answers of several routes
  return { status: answer.status, body: (await answer.json()) as any };
}
const overrides = async () => (await send("GET", "/api/v1/overrides")).body;
const auditActions = async (): Promise<string[]> =>
  (await send("GET", "/api/v1/audit?after=0&limit=1000")).body.entries.map(
    ({ entry }: { entry: { action: string } }) => entry.action,
  );

beforeEach(async () => {
  const { overrides: inForce } = await overrides();
  const agents = inForce.map(({ agentId }: { agentId: string }) => agentId);
  if (agents.length > 0) await send("POST", "/api/v1/overrides/end", { agents });
  await send("DELETE", "/api/v1/freeze");
});

test("a dry run tells the effect, and changes and records nothing", async () => {
  const before = await auditActions();
  const order = { agents: ["thor-a", "thor-b"], role: "draining", expiresInS: 3600 };
  const { status, body } = await send("POST", "/api/v1/overrides", { ...order, dryRun: true });
  expect(status).toBe(200);
  expect(body).toMatchObject({ isDone: false, agents: [] });
  expect(body.effect).toMatchObject({ named: 2, stops: 2, before: { agents: 3 }, after: { agents: 1 } });
  expect(body.effect.text).toStartWith("Drains 2 of 3 agents that serve until ");
  expect(await overrides()).toEqual({ overrides: [], total: 0, reached: 0 });
  expect(await auditActions()).toEqual(before);
});

test("an order to two agents is told to both, recorded once with its effect, and shown until it is reached", async () => {
  const order = { agents: ["thor-a", "thor-b"], role: "standby", powerModeCap: "70W", expiresInS: 3600 };
  const { body } = await send("POST", "/api/v1/overrides", order);
  expect(body.isDone).toBe(true);
  expect(body.agents.map(({ agentId }: { agentId: string }) => agentId)).toEqual(["thor-a", "thor-b"]);
  const state = await overrides();
  expect(state).toMatchObject({ total: 2, reached: 0 });
  expect(state.overrides[0]).toMatchObject({
    ...{ agentId: "thor-a", role: "standby", powerModeCap: "70W", isReached: false },
    waitsFor: "it has not answered yet",
  });
  const { body: log } = await send("GET", "/api/v1/audit?limit=1");
  expect(log.entries[0].entry).toMatchObject({ action: "overrides.set", target: "2 agents", phase: "done" });
  expect(log.entries[0].entry.after.effect).toBe(body.effect.text);
});

test("several are ended at once, with a dry run before", async () => {
  await send("POST", "/api/v1/overrides", { agents: ids, role: "draining", expiresInS: 60 });
  const dry = await send("POST", "/api/v1/overrides/end", { agents: ids, dryRun: true });
  expect(dry.body.effect.text).toStartWith("3 agents keep their role until the controller's next decision");
  expect((await overrides()).total).toBe(3);
  const done = await send("POST", "/api/v1/overrides/end", { agents: ids });
  expect(done.body).toMatchObject({ isDone: true, effect: { named: 3 } });
  expect((await overrides()).total).toBe(0);
});

test.each<[string, object, number, string]>([
  ["an unknown agent", { agents: ["thor-a", "nobody"], role: "standby", expiresInS: 60 }, 404, "no agent nobody"],
  ["a mode that one lacks", { agents: ["thor-a", "thor-b"], powerMode: "9W", expiresInS: 60 }, 400, '"9W" (thor-a)'],
  ["no agents", { agents: [], role: "standby", expiresInS: 60 }, 400, "agents"],
  ["one agent twice", { agents: ["thor-a", "thor-a"], role: "standby", expiresInS: 60 }, 400, "agents"],
  ["nothing to do", { agents: ["thor-a"], expiresInS: 60 }, 400, "role, powerMode or powerModeCap: expected"],
  ["no end", { agents: ["thor-a"], role: "standby" }, 400, "expiresInS"],
  ["an end in a year", { agents: ["thor-a"], role: "standby", expiresInS: 31_536_000 }, 400, "expiresInS"],
])("an order with %s is refused with its field, for all agents", async (_, order, status, why) => {
  for (const body of [order, { ...order, dryRun: true }]) {
    const answer = await send("POST", "/api/v1/overrides", body);
    expect(answer.status).toBe(status);
    expect(answer.body.error).toContain(why);
  }
  expect((await overrides()).total).toBe(0);
});

test("ending an override that is not there ends none", async () => {
  await send("POST", "/api/v1/overrides", { agents: ["thor-a"], role: "standby", expiresInS: 60 });
  const answer = await send("POST", "/api/v1/overrides/end", { agents: ["thor-a", "thor-b"] });
  expect(answer).toMatchObject({ status: 404, body: { error: "there is no override of thor-b" } });
  expect((await overrides()).total).toBe(1);
});

test("a freeze and its end tell their effect before", async () => {
  const dry = await send("POST", "/api/v1/freeze", { reason: "stocktaking", expiresInS: 60, dryRun: true });
  expect(dry.body).toMatchObject({ freeze: null, effect: { spare: { agents: 0 } } });
  expect(dry.body.effect.text).toStartWith("Nothing is switched on or off until ");
  const set = await send("POST", "/api/v1/freeze", { reason: "stocktaking" });
  expect(set.body).toMatchObject({ freeze: { reason: "stocktaking", untilMs: null } });
  const end = await send("DELETE", "/api/v1/freeze?dryRun=true");
  expect(end.body.effect.text).toStartWith("The controller may change roles and power modes again.");
  expect((await send("GET", "/api/v1/freeze")).body.freeze).not.toBeNull();
  expect((await send("DELETE", "/api/v1/freeze")).body.freeze).toBeNull();
  expect((await send("DELETE", "/api/v1/freeze?dryRun=true")).status).toBe(404);
});
