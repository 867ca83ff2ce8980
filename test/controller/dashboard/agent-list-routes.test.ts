import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Controller } from "#controller/controller.ts";
import { openRecords } from "#controller/open-records.ts";
import { createLogger } from "#platform/log.ts";
import { aBirth, aPresence } from "../../fakes/builders.ts";
import { quietController } from "../quiet-controller.ts";

const stateDir = mkdtempSync(join(tmpdir(), "thormesh-agents-"));
const ids = Array.from({ length: 7 }, (_, index) => `thor-${index}`);
const key = "the-first-key";
let controller: Controller;

beforeAll(async () => {
  const { store } = openRecords(stateDir, Date.now(), createLogger("test", "silent"));
  for (const [index, agentId] of ids.entries())
    await store.saveAgent({
      agentId,
      presence: aPresence({ agentId, region: index < 2 ? "north" : "south" }),
      birth: aBirth({ agentId, region: index < 2 ? "north" : "south", tags: { rack: `r${index % 3}` } }),
      reported: null,
      lastHeardMs: Date.now(),
    });
  await store.close();
  controller = quietController(stateDir, { apiKeys: [key] });
  await controller.start();
});
afterAll(async () => {
  await controller.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

const send = (path: string, bearer = key, init: RequestInit = {}) =>
  fetch(controller.url + path, { ...init, headers: { authorization: `Bearer ${bearer}`, ...init.headers } });

interface List {
  readonly agents: readonly { readonly agentId: string; readonly condition: string; readonly tags: object }[];
  readonly total: number;
  readonly matching: number;
}
const list = async (query: string) => (await (await send(`/api/v1/agents?${query}`)).json()) as List;
const named = ({ agents }: List) => agents.map(({ agentId }) => agentId);

describe("the list of agents", () => {
  test("whole, and as a page behind an id", async () => {
    expect(named(await list(""))).toEqual(ids);
    expect(await list("limit=2&after=thor-3")).toMatchObject({
      agents: [{ agentId: "thor-4", condition: "serving", tags: { rack: "r1" } }, { agentId: "thor-5" }],
      ...{ total: 7, matching: 7 },
    });
  });

  test("filtered, sorted and from a place on", async () => {
    const answer = await list("filter=region:south&sort=-agentId&limit=2&offset=1");
    expect(named(answer)).toEqual(["thor-5", "thor-4"]);
    expect(answer).toMatchObject({ total: 7, matching: 5 });
    expect(named(await list("filter=region:south&after=thor-4"))).toEqual(["thor-5", "thor-6"]);
    expect(named(await list("offset=6"))).toEqual(["thor-6"]);
  });

  test.each([
    ["filter=what:x", "filter: expected words"],
    ["sort=size", "sort: expected one of agentId, state"],
    ["sort=qps&after=thor-1", "after: expected it without sort"],
    ["offset=100000", "offset: expected a whole number"],
    ["limit=0", "limit: expected a whole number"],
    [`filter=${"x".repeat(257)}`, "filter: expected"],
  ])("%j is refused", async (query, why) => {
    const answer = await send(`/api/v1/agents?${query}`);
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { error: string }).error).toContain(why);
  });

  test("values are offered for a field", async () => {
    const answer = await send("/api/v1/fleet/values?field=region&part=so");
    expect(await answer.json()).toEqual({ field: "region", values: [{ value: "south", agents: 5 }], more: 0 });
    expect((await send("/api/v1/fleet/values?field=secret")).status).toBe(400);
  });
});
