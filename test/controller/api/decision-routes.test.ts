import { beforeAll, expect, test } from "bun:test";
import type { ApiParts } from "#controller/api/api-parts.ts";
import { decisionRoutes } from "#controller/api/decision-routes.ts";
import type { DecisionDetail, DecisionTimeline } from "#controller/api/schemas.ts";
import { nothingDone } from "#controller/store/decision-record.ts";
import { minuteMs } from "#platform/time.ts";
import { aMinute, aModel } from "../../fakes/builders.ts";
import { createMemoryStore } from "../memory-store.ts";

const startMs = Date.UTC(2026, 10, 30, 8);
const store = createMemoryStore();
const app = decisionRoutes({
  ...{ store, horizonMinutes: 15, nowMs: () => startMs + 60 * minuteMs },
} as unknown as ApiParts);
const ask = (path: string) => app.handle(new Request(`http://controller/api/v1/decisions${path}`));
const get = async <T>(path: string) => (await (await ask(path)).json()) as T;
const agents = Array.from({ length: 40 }, (_, index) => `thor-${index}`);

beforeAll(async () => {
  for (let index = 0; index < 7; index += 1) {
    const isChange = index % 2 === 0;
    await store.insertDecision({
      atMs: startMs + index * minuteMs,
      ...{ kind: isChange ? "scale-out" : "hold", rule: isChange ? "peak" : "sufficient", reason: "r".repeat(1000) },
      agents: isChange ? agents : [],
      inputs: { peakQps: 10, candidates: agents },
      outcome: isChange
        ? { ...nothingDone, activated: agents, skipped: [{ agentId: "thor-1", reason: "offline" }], done: [] }
        : nothingDone,
    });
  }
  const minute = aMinute({ agentId: "thor-1", seq: 1, minuteStartMs: startMs + 5 * minuteMs });
  await store.insertMinute({
    ...minute,
    traffic: { ...minute.traffic, models: [{ ...aModel("m", 60, 1), texts: 1200 }] },
  });
});

test("the timeline comes in pages, newest first, each decision once and without what makes it long", async () => {
  const seen: number[] = [];
  let before = "";
  for (const size of [3, 3, 1]) {
    const { decisions, next, nowMs } = await get<DecisionTimeline>(`/timeline?limit=3${before}`);
    expect(nowMs).toBe(startMs + 60 * minuteMs);
    expect(decisions).toHaveLength(size);
    seen.push(...decisions.map(({ id }) => id));
    expect(next).toBe(seen.at(-1) === 1 ? null : (seen.at(-1) as number));
    before = `&before=${next}`;
    for (const decision of decisions) {
      expect(decision.reason).toHaveLength(400);
      expect(Object.keys(decision)).not.toContain("inputs");
    }
  }
  expect(seen).toEqual([7, 6, 5, 4, 3, 2, 1]);
});

test("a change tells how many agents it is about, and of how many it did not come", async () => {
  const { decisions, next } = await get<DecisionTimeline>("/timeline?rule=peak&limit=4");
  expect(decisions.map(({ id }) => id)).toEqual([7, 5, 3, 1]);
  expect(next).toBeNull();
  expect(decisions[0]).toMatchObject({ agents: 40, agentIds: agents.slice(0, 6), did: 0, failed: 1 });
});

test("kinds and rules on record are told, for filters", async () => {
  expect(await get<object>("/rules")).toEqual({
    rules: [
      { kind: "scale-out", rule: "peak", count: 4 },
      { kind: "hold", rule: "sufficient", count: 3 },
    ],
  });
});

test("one decision tells what was believed beside what came", async () => {
  expect((await get<DecisionDetail>("/1")).aftermath).toEqual({
    ...{ rule: "more", believedPeakQps: 10, actualPeakQps: 20 },
    ...{ startMs, endMs: startMs + 15 * minuteMs },
  });
  expect((await get<DecisionDetail>("/7")).aftermath).toMatchObject({ rule: "unknown", actualPeakQps: null });
});

test.each(["/timeline?before=0", "/timeline?before=x", "/timeline?rule=", "/timeline?limit=1001"])(
  "%s is refused",
  async (path) => expect((await ask(path)).status).toBeGreaterThanOrEqual(400),
);
