import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Controller } from "#controller/controller.ts";
import { roles } from "#platform/http/guard/roles.ts";
import { quietController } from "../quiet-controller.ts";

const configured = "a-configured-key";
const stateDir = mkdtempSync(join(tmpdir(), "thormesh-roles-"));
let controller: Controller;
const keys: Record<string, string> = { configured };

/** Role of every route: a new one fails this test until it is listed. */
const expected: Readonly<Record<string, "open" | "viewer" | "operator" | "admin">> = {
  "GET /api/v1/fleet": "viewer",
  "GET /api/v1/fleet/stream": "viewer",
  "GET /api/v1/fleet/values": "viewer",
  "GET /api/v1/fleet/history": "viewer",
  "GET /api/v1/agents": "viewer",
  "GET /api/v1/agents/{id}": "viewer",
  "DELETE /api/v1/agents/{id}": "operator",
  "GET /api/v1/forecast/accuracy": "viewer",
  "GET /api/v1/forecast/overview": "viewer",
  "GET /api/v1/agents/{id}/history": "viewer",
  "GET /api/v1/routes": "viewer",
  "GET /api/v1/traffic": "viewer",
  "GET /api/v1/decisions": "viewer",
  "GET /api/v1/decisions/rules": "viewer",
  "GET /api/v1/decisions/timeline": "viewer",
  "GET /api/v1/decisions/{id}": "viewer",
  "POST /api/v1/agents/{id}/override": "operator",
  "DELETE /api/v1/agents/{id}/override": "operator",
  "GET /api/v1/overrides": "viewer",
  "POST /api/v1/overrides": "operator",
  "POST /api/v1/overrides/end": "operator",
  "GET /api/v1/freeze": "viewer",
  "POST /api/v1/freeze": "operator",
  "DELETE /api/v1/freeze": "operator",
  "GET /api/v1/rollout": "viewer",
  "POST /api/v1/rollout": "operator",
  "POST /api/v1/rollout/pause": "operator",
  "POST /api/v1/rollout/resume": "operator",
  "POST /api/v1/rollout/stop": "operator",
  "GET /api/v1/backtests": "viewer",
  "POST /api/v1/backtests": "operator",
  "GET /api/v1/backtests/{id}": "viewer",
  "DELETE /api/v1/backtests/{id}": "operator",
  "GET /api/v1/policy": "viewer",
  "GET /api/v1/policy/file": "viewer",
  "POST /api/v1/policy/preview": "operator",
  "POST /api/v1/policy": "admin",
  "GET /api/v1/cost": "viewer",
  "GET /api/v1/cost/names": "viewer",
  "GET /api/v1/cost/view": "viewer",
  "GET /allocation": "viewer",
  "GET /allocation/compute": "viewer",
  "GET /allocation/summary": "viewer",
  "GET /assets": "viewer",
  "GET /api/v1/power/report": "viewer",
  "GET /api/v1/budgets": "viewer",
  "POST /api/v1/budgets": "operator",
  "DELETE /api/v1/budgets/{id}": "operator",
  "GET /api/v1/cost/anomalies": "viewer",
  "GET /api/v1/cost/export": "viewer",
  "GET /api/v1/savings": "viewer",
  "GET /api/v1/cost/baselines": "viewer",
  "POST /api/v1/cost/baselines": "operator",
  "DELETE /api/v1/cost/baselines/{id}": "operator",
  "GET /api/v1/cost/compare": "viewer",
  "GET /api/v1/cost/digest": "viewer",
  "POST /api/v1/cost/digest": "operator",
  "GET /api/v1/cost/forecast": "viewer",
  "GET /api/v1/cost/chargeback": "viewer",
  "GET /api/v1/alerts": "viewer",
  "POST /api/v1/alerts/test": "operator",
  "POST /api/v1/silences": "operator",
  "DELETE /api/v1/silences/{id}": "operator",
  "GET /api/v1/slo": "viewer",
  "GET /api/v1/prometheus/targets": "viewer",
  "GET /api/v1/tenants": "viewer",
  "POST /api/v1/tenants": "admin",
  "PATCH /api/v1/tenants/{id}": "admin",
  "DELETE /api/v1/tenants/{id}": "admin",
  "POST /api/v1/tenants/{id}/erase": "admin",
  "POST /api/v1/tenants/{id}/export": "admin",
  "GET /api/v1/tenant-jobs": "admin",
  "GET /api/v1/tenant-jobs/{id}": "admin",
  "GET /api/v1/tenant-jobs/{id}/records": "admin",
  "GET /api/v1/keys": "admin",
  "POST /api/v1/keys": "admin",
  "POST /api/v1/keys/{id}/rotate": "admin",
  "DELETE /api/v1/keys/{id}": "admin",
  "GET /api/v1/audit": "admin",
  "GET /api/v1/config": "admin",
  "GET /api/v1/session": "open",
  "POST /api/v1/session": "open",
  "DELETE /api/v1/session": "open",
  "POST /api/v1/identity/join": "open",
  "POST /api/v1/identity/renew": "open",
  "GET /api/v1/join-tokens": "viewer",
  "POST /api/v1/join-tokens": "admin",
  "DELETE /api/v1/join-tokens/{id}": "admin",
  "GET /api/v1/devices": "viewer",
  "POST /api/v1/devices/{id}/approve": "admin",
  "POST /api/v1/devices/{id}/revoke": "admin",
  "GET /healthz": "open",
  "GET /metrics": "viewer",
};

const send = (method: string, path: string, key: string | null, body?: object) =>
  fetch(controller.url + path, {
    method,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

beforeAll(async () => {
  controller = quietController(stateDir, { apiKeys: [configured] });
  await controller.start();
  await send("POST", "/api/v1/tenants", configured, { id: "red" });
  for (const role of roles) {
    const tenant = role === "embed" ? { tenant: "red" } : {};
    const made = await send("POST", "/api/v1/keys", configured, { name: `the ${role}`, role, ...tenant });
    keys[role] = ((await made.json()) as { secret: string }).secret;
  }
});
afterAll(async () => {
  await controller.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

test("every route of the document has its role in this list, and no other is listed", async () => {
  const answer = await send("GET", "/openapi/json", null);
  const { paths } = (await answer.json()) as { paths: Record<string, Record<string, unknown>> };
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(routes.sort()).toEqual(Object.keys(expected).sort());
});

const rank = ["open", ...roles];

describe.each(Object.entries(expected))("%s", (route, role) => {
  const [method = "", pattern = ""] = route.split(" ");
  const path = pattern.replaceAll(/\{[^}]+\}/g, "00000000");

  test.each([null, ...roles, "configured"])(
    `for ${role}s is reached with the key of %p as it should be`,
    async (holder) => {
      const body = ["POST", "PATCH"].includes(method) ? {} : undefined;
      const { status } = await send(method, path, holder === null ? null : (keys[holder] as string), body);
      const own = holder === "configured" ? "admin" : (holder ?? "open");
      const may = rank.indexOf(own) >= rank.indexOf(role);
      if (may) expect([401, 403]).not.toContain(status);
      else expect(status).toBe(holder === null ? 401 : 403);
    },
  );
});

const reading = Object.entries(expected).filter(([route]) => route.startsWith("GET"));

test.each(reading)("HEAD instead of %s needs the same role, %s", async (route, role) => {
  const path = route.replace("GET ", "").replace("{id}", "00000000");
  const { status } = await send("HEAD", path, keys["viewer"] as string);
  expect(status === 403).toBe(role === "admin");
});

test("a refusal names the role that is needed, the key and its role", async () => {
  const answer = await send("POST", "/api/v1/freeze", keys["viewer"] as string, { reason: "stop" });
  expect(answer.status).toBe(403);
  const body = (await answer.json()) as { error: string; code: string };
  expect(body.code).toBe("FORBIDDEN");
  expect(body.error).toMatch(/^this needs the role operator; key [0-9a-z]{8} \(the viewer\) has the role viewer$/);
});

test("a refused caller's body is not read: neither its size nor what is wrong in it is told", async () => {
  const answer = await send("POST", "/api/v1/keys", keys["operator"] as string, { name: 7 });
  expect(answer.status).toBe(403);
});

test("a key that was revoked is refused at once, with what it was", async () => {
  const made = await send("POST", "/api/v1/keys", configured, { name: "for a moment", role: "viewer" });
  const { key, secret } = (await made.json()) as { key: { id: string }; secret: string };
  expect((await send("GET", "/api/v1/fleet", secret)).status).toBe(200);
  expect((await send("DELETE", `/api/v1/keys/${key.id}`, keys["admin"] as string)).status).toBe(200);
  const refused = await send("GET", "/api/v1/fleet", secret);
  expect(refused.status).toBe(401);
  expect(((await refused.json()) as { error: string }).error).toMatch(`key ${key.id} (for a moment) was revoked at `);
});

test.each([
  [{ name: "", role: "viewer" }, "name: expected 1 to 64 letters"],
  [{ name: "x", role: "root" }, "role: expected"],
  [{ name: "x", role: "viewer", expiresInS: 0 }, "expiresInS: expected"],
  [{ name: "x", role: "viewer", tenant: "red" }, "tenant: expected none with role viewer, got red"],
  [{ name: "x", role: "embed" }, "tenant: expected the key's tenant, got none"],
  [{ role: "viewer" }, "name"],
])("a new key as %j is refused with its field", async (body, why) => {
  const answer = await send("POST", "/api/v1/keys", keys["admin"] as string, body);
  expect(answer.status).toBe(400);
  expect(((await answer.json()) as { error: string }).error).toContain(why);
});
