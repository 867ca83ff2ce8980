import { afterAll, beforeAll, expect, test } from "bun:test";
import { createPublicKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AuditCheck, type AuditRow } from "#controller/audit/audit-check.ts";
import type { Controller } from "#controller/controller.ts";
import { openRecords } from "#controller/open-records.ts";
import { newKey } from "#platform/certificates/device-key.ts";
import { createLogger } from "#platform/log.ts";
import { aBirth, aMinute, aPresence } from "../../fakes/builders.ts";
import { aDevice } from "../../fakes/identity.ts";
import { quietController } from "../quiet-controller.ts";

const configured = "a-configured-key";
const stateDir = mkdtempSync(join(tmpdir(), "thormesh-audited-"));
let controller: Controller;
let keyId = "";
let tokenId = "";
let silenceId = "";
let backtestId = "";

/** A request for every route that changes something, in this order; a new route fails the first test until it is listed. */
const requests: readonly { route: string; action: string; target: () => string; body?: object; path?: () => string }[] =
  [
    {
      route: "POST /api/v1/agents/{id}/override",
      action: "override.set",
      target: () => "thor-1",
      body: { role: "standby", expiresInS: 60 },
    },
    { route: "DELETE /api/v1/agents/{id}/override", action: "override.end", target: () => "thor-1" },
    {
      ...{ route: "POST /api/v1/overrides", action: "overrides.set", target: () => "thor-1" },
      body: { agents: ["thor-1"], role: "standby", expiresInS: 60 },
    },
    {
      ...{ route: "POST /api/v1/overrides/end", action: "overrides.end", target: () => "thor-1" },
      body: { agents: ["thor-1"] },
    },
    { route: "POST /api/v1/backtests", action: "backtests.start", target: () => "default", body: {} },
    { route: "DELETE /api/v1/backtests/{id}", action: "backtests.cancel", target: () => backtestId },
    { route: "DELETE /api/v1/agents/{id}", action: "agents.retire", target: () => "thor-1" },
    {
      ...{ route: "POST /api/v1/policy", action: "policy.set", target: () => "factory" },
      body: { text: "name: factory\nminReplicas: 3\n" },
    },
    { route: "POST /api/v1/freeze", action: "freeze.set", target: () => "default", body: { reason: "stocktaking" } },
    { route: "DELETE /api/v1/freeze", action: "freeze.end", target: () => "default" },
    {
      ...{ route: "POST /api/v1/rollout", action: "rollout.start", target: () => "0.9.0" },
      body: { version: "0.9.0", waves: [{ share: 0.1 }, { share: 1 }] },
    },
    { route: "POST /api/v1/rollout/pause", action: "rollout.pause", target: () => "0.9.0" },
    { route: "POST /api/v1/rollout/resume", action: "rollout.resume", target: () => "0.9.0" },
    { route: "POST /api/v1/rollout/stop", action: "rollout.stop", target: () => "0.9.0" },
    { route: "POST /api/v1/keys", action: "keys.create", target: () => "wall", body: { name: "wall", role: "viewer" } },
    { route: "POST /api/v1/keys/{id}/rotate", action: "keys.rotate", target: () => keyId, body: {} },
    { route: "DELETE /api/v1/keys/{id}", action: "keys.revoke", target: () => keyId },
    { route: "POST /api/v1/join-tokens", action: "tokens.create", target: () => "eu", body: { region: "eu" } },
    { route: "DELETE /api/v1/join-tokens/{id}", action: "tokens.revoke", target: () => tokenId },
    { route: "POST /api/v1/devices/{id}/approve", action: "devices.approve", target: () => "thor-1" },
    { route: "POST /api/v1/devices/{id}/revoke", action: "devices.revoke", target: () => "thor-1", body: {} },
    { route: "POST /api/v1/tenants", action: "tenants.create", target: () => "red", body: { id: "red" } },
    { route: "PATCH /api/v1/tenants/{id}", action: "tenants.update", target: () => "red", body: { suspended: true } },
    { route: "POST /api/v1/tenants/{id}/export", action: "tenants.export", target: () => "red" },
    { route: "DELETE /api/v1/tenants/{id}", action: "tenants.delete", target: () => "red" },
    {
      ...{ route: "POST /api/v1/budgets", action: "budgets.set", target: () => "all" },
      body: {
        ...{ id: "all", scope: { kind: "fleet", name: null }, period: "daily", amountUsd: 185 },
        actions: [{ atPercent: 80, action: "notify" }],
      },
    },
    { route: "DELETE /api/v1/budgets/{id}", action: "budgets.delete", target: () => "all" },
    {
      ...{ route: "POST /api/v1/cost/baselines", action: "baselines.set", target: () => "before" },
      body: { name: "before", window: "2d" },
    },
    { route: "DELETE /api/v1/cost/baselines/{id}", action: "baselines.delete", target: () => "before" },
    { route: "POST /api/v1/cost/digest", action: "digest.tell", target: () => "default" },
    { route: "POST /api/v1/alerts/test", action: "alerts.test", target: () => "default" },
    {
      ...{ route: "POST /api/v1/silences", action: "silences.create", target: () => "cost-spike" },
      body: { rule: "cost-spike", reason: "Prüfung, 5 % Last", forS: 60 },
    },
    { route: "DELETE /api/v1/silences/{id}", action: "silences.end", target: () => silenceId },
    { route: "POST /api/v1/tenants/{id}/erase", action: "tenants.erase", target: () => "red" },
  ];

/** Routes that change nothing though they take a body. */
const onlyTell = ["POST /api/v1/policy/preview"];

async function send(method: string, path: string, body?: object) {
  const answer = await fetch(controller.url + path, {
    method,
    headers: {
      authorization: `Bearer ${configured}`,
      "x-thormesh-reason": encodeURIComponent("Prüfung, 5 % Last"),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, text: await answer.text() };
}
const logAfter = async (seq: number) =>
  (JSON.parse((await send("GET", `/api/v1/audit?after=${seq}&limit=1000`)).text) as { entries: AuditRow[] }).entries;

beforeAll(async () => {
  const { store } = openRecords(stateDir, Date.now(), createLogger("test", "silent"));
  const identity = { agentId: "thor-1", sentAtMs: Date.now() };
  await store.saveAgent({
    agentId: "thor-1",
    presence: aPresence({ ...identity, status: "offline" }),
    birth: aBirth(identity),
    reported: null,
    lastHeardMs: Date.now(),
  });
  await store.insertMinute(aMinute({ minuteStartMs: Math.floor(Date.now() / 60_000 - 2) * 60_000 }));
  await store.insertMinute(aMinute({ seq: 2, minuteStartMs: Math.floor(Date.now() / 60_000 - 90) * 60_000 }));
  const publicKey = createPublicKey(newKey()).export({ type: "spki", format: "der" }).toString("base64");
  await store.saveDevice(aDevice({ agentId: "thor-1", state: "pending", publicKey }));
  await store.close();
  const policyFile = join(stateDir, "policy.yaml");
  writeFileSync(policyFile, "name: before\n", { mode: 0o600 });
  controller = quietController(stateDir, { apiKeys: [configured] }, { scaling: { policyFile } });
  await controller.start();
});
afterAll(async () => {
  await controller.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

test("every route that changes something is in this list", async () => {
  const { paths } = JSON.parse((await send("GET", "/openapi/json")).text) as {
    paths: Record<
      string,
      Record<string, { responses: object; parameters?: { name: string; in: string }[]; security?: unknown[] }>
    >;
  };
  const changing = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      // Those that are open are called by devices; the joining of one is recorded too (join-fleet.test.ts).
      .filter(([method, { security }]) => method !== "get" && security?.length !== 0)
      .map(([method, { parameters = [], responses }]) => ({
        route: `${method.toUpperCase()} ${path}`,
        parameters,
        responses,
      }))
      .filter(({ route }) => !onlyTell.includes(route)),
  );
  expect(changing.map(({ route }) => route).sort()).toEqual(requests.map(({ route }) => route).sort());
  for (const { route, parameters, responses } of changing) {
    const names = parameters.map(({ name }) => name);
    expect({ route, names }).toEqual({ route, names: expect.arrayContaining(["x-thormesh-reason"]) });
    const documented = Object.keys(responses);
    // A reason that is too long is refused, and a change that can't be recorded.
    expect({ route, documented }).toEqual({ route, documented: expect.arrayContaining(["400", "503"]) });
    expect({ route, ends: documented.some((status) => /^2/.test(status)) }).toEqual({ route, ends: true });
    if (route.includes("{id}")) expect({ route, names }).toEqual({ route, names: expect.arrayContaining(["id"]) });
  }
});

test.each(requests)("$route is recorded before and after", async ({ route, action, target, body }) => {
  const [method = "", path = ""] = route.split(" ");
  const before = (await logAfter(0)).at(-1)?.seq ?? 0;
  const named = target();
  const answer = await send(method, path.replace("{id}", named), body);
  expect({ route, answer }).toEqual({ route, answer: { ...answer, status: expect.any(Number) } });
  expect(answer.status === 200 || answer.status === 204 ? "done" : answer.text).toBe("done");
  const entries = (await logAfter(before)).map(({ entry }) => entry);
  const common = { actor: "a configured key", role: "admin", from: "127.0.0.1", action, target: named };
  const reason = action === "freeze.set" ? "stocktaking" : "Prüfung, 5 % Last";
  expect(entries).toMatchObject([
    { ...common, reason, phase: "begun", of: null },
    { ...common, reason, phase: "done", of: before + 1 },
  ]);
  if (action === "tokens.create") {
    const { id, token } = JSON.parse(answer.text) as { id: string; token: string };
    tokenId = id;
    expect(entries[1]?.after).toMatchObject({ id });
    expect(JSON.stringify(entries)).not.toContain(token.split(".")[3] as string);
  }
  if (action === "backtests.start") backtestId = (JSON.parse(answer.text) as { id: string }).id;
  if (action === "silences.create") silenceId = (JSON.parse(answer.text) as { silence: { id: string } }).silence.id;
  if (action.startsWith("keys.")) {
    const { key, secret } = JSON.parse(answer.text) as { key: { id: string }; secret?: string };
    if (action !== "keys.revoke") keyId = key.id;
    expect(entries[1]?.after).toMatchObject({ id: key.id });
    if (secret !== undefined) expect(JSON.stringify(entries)).not.toContain(secret);
  }
});

test("the log is whole", async () => {
  const check = new AuditCheck();
  for (const row of await logAfter(0)) check.add(row);
  expect(check.verdict()).toMatchObject({ kind: "intact", entries: requests.length * 2 });
});
