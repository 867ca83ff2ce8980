import { expect, test } from "bun:test";
import type {
  ActiveAgentsDecision,
  Explained,
  ScalingFigures,
} from "#controller/scaling/active-agents/scaling-inputs.ts";
import { DecisionRecords } from "#controller/scaling/loop/decision-records.ts";
import { nothingDone } from "#controller/store/decision-record.ts";
import { createLogger } from "#platform/log.ts";
import { createMemoryStore } from "../../memory-store.ts";

const figures: ScalingFigures = {
  ...{ peakQps: 1, windowPeakQps: 1, need: 1, windowNeed: 1, activeCount: 2, availableCount: 4, carriedQps: 1 },
};
const hold = (given: object = {}): Explained<ActiveAgentsDecision> => ({
  ...{ kind: "hold", rule: "plan", reason: "enough", figures, ...given },
});
const change: Explained<ActiveAgentsDecision> = {
  ...{ kind: "change-modes", rule: "plan", reason: "less", figures, activate: [], standBy: [] },
  modes: [{ agentId: "a", mode: "70W" }],
};

test("a hold that repeats is one row; another rule, number, cloud or anything between begins a new one", async () => {
  const store = createMemoryStore();
  const records = new DecisionRecords(store, createLogger("test", "silent"));
  const record = (decision: Explained<ActiveAgentsDecision>) => records.record(decision, {}, nothingDone, 1000);
  const cloud = (units: number) => [{ id: "spot", units, qps: 9, by: "agents" }];
  const ids = [
    await record(change),
    await record(hold()),
    await record(hold()),
    await record(hold({ rule: "capacity" })),
    await record(hold({ rule: "capacity", figures: { ...figures, activeCount: 3 } })),
    await record(hold({ cloud: cloud(1) })),
    await record(hold({ cloud: cloud(2) })),
    await record(hold({ cloud: cloud(2) })),
    await record(change),
    await record(change),
    await record(hold({ cloud: cloud(2) })),
  ];
  expect(ids.map((id) => (id === null ? "repeated" : "new")).join(" ")).toBe(
    "new new repeated new new new new repeated new new new",
  );
  const rows = await store.decisions({ limit: 99 });
  expect(rows.at(-1)).toMatchObject({ kind: "change-modes", agents: ["a"], reason: "less", inputs: { need: 1 } });
  expect(rows.at(-2)).toMatchObject({ kind: "hold", agents: [], repeats: 2 });
});

test("a hold that repeats tells the newest reason and figures, and the range since the first", async () => {
  const store = createMemoryStore();
  const records = new DecisionRecords(store, createLogger("test", "silent"));
  for (const [index, peakQps] of [18, 40, null, 12, 20].entries()) {
    const decision = hold({ reason: `traffic is ${peakQps}`, figures: { ...figures, peakQps } });
    await records.record(decision, { round: index }, nothingDone, 1000 * index);
  }
  expect(await store.decisions({ limit: 9 })).toMatchObject([
    {
      atMs: 0,
      lastAtMs: 4000,
      repeats: 5,
      reason: "traffic is 20",
      inputs: { peakQps: 20, round: 4, range: { peakQps: [12, 40] } },
    },
  ]);
});
