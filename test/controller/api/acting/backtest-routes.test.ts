import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Controller } from "#controller/controller.ts";
import { openRecords } from "#controller/open-records.ts";
import { createLogger } from "#platform/log.ts";
import { eventually } from "../../../e2e/program.ts";
import { aBirth, aMinute, aPresence } from "../../../fakes/builders.ts";
import { quietController } from "../../quiet-controller.ts";

const stateDir = mkdtempSync(join(tmpdir(), "thormesh-backtest-"));
const emptyDir = mkdtempSync(join(tmpdir(), "thormesh-backtest-none-"));
let controller: Controller;
let empty: Controller;

beforeAll(async () => {
  const { store } = openRecords(stateDir, Date.now(), createLogger("test", "silent"));
  const identity = { agentId: "thor-a", sentAtMs: Date.now() };
  const presence = aPresence({ ...identity, status: "online" });
  await store.saveAgent({
    ...{ agentId: "thor-a", presence, birth: aBirth(identity), reported: null, lastHeardMs: Date.now() },
  });
  for (const [seq, ago] of [90, 45, 2].entries())
    await store.insertMinute(aMinute({ seq: seq + 1, minuteStartMs: Math.floor(Date.now() / 60_000 - ago) * 60_000 }));
  await store.close();
  controller = quietController(stateDir);
  empty = quietController(emptyDir);
  await Promise.all([controller.start(), empty.start()]);
});
afterAll(async () => {
  await Promise.all([controller.stop(), empty.stop()]);
  for (const directory of [stateDir, emptyDir]) rmSync(directory, { recursive: true, force: true });
});

async function send(to: Controller, method: string, path: string, body?: object) {
  const answer = await fetch(to.url + path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: answers of several routes
  return { status: answer.status, body: (await answer.json()) as any };
}

test("a policy is replayed on what is on record, beside others", async () => {
  const { status, body } = await send(controller, "POST", "/api/v1/backtests", { text: "name: mine\n", hours: 2 });
  expect(status).toBe(200);
  expect(body).toMatchObject({ state: "running", by: "anyone", minutes: 89 });
  const job = await eventually(
    async () => (await send(controller, "GET", `/api/v1/backtests/${body.id}`)).body,
    ({ state }) => state !== "running",
  );
  expect(job).toMatchObject({ state: "done", failure: null, progress: 1 });
  const labels = job.result.results.map(({ label }: { label: string }) => label);
  expect(labels).toEqual(["mine, as given", "everything on", "HPA", "predictive rule", "with hindsight"]);
  expect(job.result.demandQps).toHaveLength(89);
  const list = await send(controller, "GET", "/api/v1/backtests");
  expect(list.body.backtests[0]).toMatchObject({ id: body.id, state: "done" });
  const cancelled = await send(controller, "DELETE", `/api/v1/backtests/${body.id}`);
  expect(cancelled.body.state).toBe("done");
});

test.each<[string, () => Controller, object, number, string]>([
  ["a policy at fault", () => controller, { text: "minReplicas: x\n" }, 400, "minReplicas"],
  ["too many hours", () => controller, { hours: 400 }, 400, "hours"],
  ["too little traffic", () => controller, { hours: 1 }, 409, "hours: expected at least 60 minutes of traffic"],
  ["no agents", () => empty, {}, 409, "no agent has reported its board's capacity yet"],
])("%s is refused with what is lacking", async (_, to, body, status, why) => {
  const answer = await send(to(), "POST", "/api/v1/backtests", body);
  expect(answer.status).toBe(status);
  expect(answer.body.error).toContain(why);
});

test("an unknown backtest is told so", async () => {
  const path = "/api/v1/backtests/00000000-0000-0000-0000-000000000000";
  expect((await send(controller, "GET", path)).status).toBe(404);
  expect((await send(controller, "DELETE", path)).status).toBe(404);
});
