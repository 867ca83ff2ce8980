import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Controller } from "#controller/controller.ts";
import { eventReader, type ReadEvent } from "../../fakes/event-reader.ts";
import { quietController } from "../quiet-controller.ts";

const stateDir = mkdtempSync(join(tmpdir(), "thormesh-stream-"));
const key = "the-first-key";
let controller: Controller;

beforeAll(async () => {
  controller = quietController(stateDir, { apiKeys: [key] });
  await controller.start();
});
afterAll(async () => {
  await controller.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

const send = (path: string, bearer = key, init: RequestInit = {}) =>
  fetch(controller.url + path, { ...init, headers: { authorization: `Bearer ${bearer}`, ...init.headers } });
const json = { "content-type": "application/json" };

async function issue(role: string, tenant?: string): Promise<{ readonly id: string; readonly secret: string }> {
  const body = JSON.stringify({ name: `the ${role}`, role, ...(tenant === undefined ? {} : { tenant }) });
  const made = await send("/api/v1/keys", key, { method: "POST", headers: json, body });
  const issued = (await made.json()) as { key: { id: string }; secret: string };
  return { id: issued.key.id, secret: issued.secret };
}

describe("the live fleet of a controller", () => {
  test("goes on after the overview that was asked for before", async () => {
    const { eventId } = (await (await send("/api/v1/fleet")).json()) as { eventId: string };
    const reader = eventReader(await send(`/api/v1/fleet/stream?after=${eventId}`));
    await reader.next();
    const headers = { "content-type": "application/json" };
    await send("/api/v1/freeze", key, { method: "POST", headers, body: JSON.stringify({ reason: "stocktaking" }) });
    // Nothing is repeated: there are changes only, and no agent has changed.
    let freeze: unknown;
    while (freeze === undefined) {
      const { event, data } = (await reader.next()) as ReadEvent;
      expect(event).toBe("change");
      expect(data).not.toHaveProperty("rows");
      freeze = (data as { view?: { freeze?: unknown } }).view?.freeze;
    }
    expect(freeze).toMatchObject({ reason: "stocktaking" });
    await reader.cancel();
  });

  test("an id that is none is refused where it is asked for, and starts anew where a browser sends it", async () => {
    expect((await send("/api/v1/fleet/stream?after=17")).status).toBe(400);
    const reader = eventReader(await send("/api/v1/fleet/stream", key, { headers: { "last-event-id": "x\u00e4" } }));
    expect(await reader.until("reset")).not.toBeNull();
    await reader.cancel();
  });

  test("a question for its headers opens none", async () => {
    const answer = await send("/api/v1/fleet/stream", key, { method: "HEAD" });
    expect({ status: answer.status, type: answer.headers.get("content-type") }).toEqual({
      status: 200,
      type: "text/event-stream",
    });
    // Those of other tests are closed by now, or soon.
    let open = "";
    while (open !== "0") {
      const metrics = await (await send("/metrics")).text();
      open = /^thormesh_fleet_streams (\d+)$/m.exec(metrics)?.[1] ?? "no such metric";
    }
  });

  test("ends where its key is revoked, and says that it is of no use to come again", async () => {
    const { id, secret } = await issue("viewer");
    const reader = eventReader(await send("/api/v1/fleet/stream", secret));
    await reader.until("snapshot");
    await send(`/api/v1/keys/${id}`, key, { method: "DELETE" });
    expect(await reader.until("end")).toMatchObject({ data: { again: false } });
    expect(await reader.next()).toBeNull();
  });

  test("ends where who follows it logs out", async () => {
    const origin = { origin: controller.url };
    const headers = { ...json, ...origin };
    const login = await fetch(`${controller.url}/api/v1/session`, {
      method: "POST",
      headers,
      body: JSON.stringify({ key }),
    });
    const cookie = (login.headers.get("set-cookie") as string).split(";")[0] as string;
    const reader = eventReader(await fetch(`${controller.url}/api/v1/fleet/stream`, { headers: { cookie } }));
    expect(await reader.until("snapshot")).not.toBeNull();
    const left = await fetch(`${controller.url}/api/v1/session`, { method: "DELETE", headers: { cookie, ...origin } });
    expect(left.ok).toBe(true);
    expect(await reader.until("end")).toMatchObject({ data: { again: false } });
  });

  test("is the same for others where one client does not read", async () => {
    const idle = await send("/api/v1/fleet/stream");
    const reader = eventReader(await send("/api/v1/fleet/stream"));
    await reader.until("change");
    await send("/api/v1/freeze", key, { method: "DELETE" });
    for (const reason of ["first", "second"]) {
      await send("/api/v1/freeze", key, { method: "POST", headers: json, body: JSON.stringify({ reason }) });
      let told: unknown;
      while (told !== reason) {
        const { data } = (await reader.until("change")) as ReadEvent;
        told = (data as { view?: { freeze?: { reason: string } | null } }).view?.freeze?.reason;
      }
    }
    await reader.cancel();
    await idle.body?.cancel();
  });

  test("is not for tenants, whose keys see nothing of the fleet", async () => {
    await send("/api/v1/tenants", key, { method: "POST", headers: json, body: JSON.stringify({ id: "red" }) });
    const { secret } = await issue("embed", "red");
    for (const path of ["/api/v1/fleet/stream", "/api/v1/fleet", "/api/v1/agents", "/api/v1/fleet/values?field=tag"])
      expect((await send(path, secret)).status).toBe(403);
  });

  test("is open 64 times for a key and no more, until one is closed", async () => {
    const { secret } = await issue("viewer");
    const open = () => send("/api/v1/fleet/stream", secret);
    const all = await Promise.all(Array.from({ length: 64 }, open));
    expect(all.map(({ status }) => status)).toEqual(new Array(64).fill(200));
    const refused = await open();
    expect({ status: refused.status, retry: refused.headers.get("retry-after") }).toEqual({ status: 429, retry: "5" });
    expect(((await refused.json()) as { error: string }).error).toContain("streams: expected at most 64 per client");
    // Others are not held up by it.
    const other = await send("/api/v1/fleet/stream");
    expect(other.status).toBe(200);
    for (const answer of [...all, other]) await answer.body?.cancel();
    let status = 429;
    while (status === 429) {
      const again = await open();
      ({ status } = again);
      await again.body?.cancel();
    }
    expect(status).toBe(200);
  });
});

test("a controller that stops ends its streams first", async () => {
  const own = mkdtempSync(join(tmpdir(), "thormesh-stops-"));
  const stopping = quietController(own);
  await stopping.start();
  const reader = eventReader(await fetch(`${stopping.url}/api/v1/fleet/stream`));
  await reader.until("change");
  const stopped = stopping.stop();
  expect(await reader.until("end")).toMatchObject({ data: { again: true } });
  expect(await reader.next()).toBeNull();
  await stopped;
  rmSync(own, { recursive: true, force: true });
});
