import { expect, test } from "bun:test";
import { controllerHealth } from "#controller/api/controller-health.ts";
import type { AgentState } from "#controller/fleet/agent-state.ts";
import { unknownAgent } from "#controller/fleet/agent-state.ts";
import { brokerProblemsOf } from "#controller/fleet/broker-problems.ts";
import { createIngestCounts } from "#controller/fleet/ingest-counts.ts";
import { dayMs } from "#platform/time.ts";
import { anAgent } from "../../fakes/builders.ts";

const broker = { connected: true };
const full = "all 64 files that this process may open were open";
let filesLeft = true;
const openFiles = {
  check: () =>
    filesLeft ? ({ status: "healthy", detail: "" } as const) : ({ status: "degraded", detail: full } as const),
};

test("wrong clocks are counted, and nobody is named", () => {
  const clock = { last: { atMs: 0, offsetMs: 1 }, skewMs: -1_200_000 };
  const health = controllerHealth(
    {
      ...{
        broker,
        counts: createIngestCounts(),
        damage: () => null,
        store: { unreadableRows: () => [], fault: () => null },
      },
      housekeeping: { recentlyTrimmed: () => 0 },
      openFiles,
      agents: () => [{ ...unknownAgent("thor-1", 0), clock }, unknownAgent("thor-2", 0)],
    },
    0,
  );
  expect(health).toMatchObject({
    status: "degraded",
    problems: ["1 agent(s) have a clock that is minutes away from this controller's"],
  });
});

test("what is wrong is said for a day, what can't be stored or read for as long as it is so", () => {
  const counts = createIngestCounts();
  let trimmed = 0;
  let unreadable: { table: string; rows: number; example: string }[] = [];
  let storeFault: string | null = null;
  const store = { unreadableRows: () => unreadable, fault: () => storeFault };
  let damaged: string | null = null;
  const housekeeping = { recentlyTrimmed: (nowMs: number) => (nowMs > dayMs ? 0 : trimmed) };
  const at = (nowMs: number) =>
    controllerHealth({ broker, counts, store, housekeeping, damage: () => damaged, openFiles }, nowMs);
  expect(at(0)).toMatchObject({ status: "ok", problems: [], brokerConnected: true });
  counts.note("a", "conflicts", "why", 0);
  counts.noteNoRoom(0);
  trimmed = 7;
  expect(at(dayMs)).toMatchObject({ status: "degraded", messages: { conflicts: 1, noRoom: 1 } });
  expect(at(dayMs).problems).toHaveLength(3);
  expect(at(dayMs + 1)).toMatchObject({ status: "ok", problems: [], messages: { conflicts: 1 } });
  counts.noteStored("disk full at the secret place");
  unreadable = [{ table: "minute", rows: 2, example: "thor-1/b/1: secret" }];
  const health = at(2 * dayMs);
  expect(health.problems).toEqual([
    "minutes can't be stored; they are not acknowledged, so agents will send them again",
    "2 row(s) of table minute can't be read and are skipped",
  ]);
  // It is served without a key.
  expect(JSON.stringify(health)).not.toContain("secret");
  counts.noteStored(null);
  damaged = "controller.db was damaged";
  expect(at(2 * dayMs)).toMatchObject({ status: "degraded" });
  expect(at(2 * dayMs).problems).toEqual([damaged, "2 row(s) of table minute can't be read and are skipped"]);
  counts.noteStored(null);
  damaged = null;
  unreadable = [];
  storeFault = "postgres://secret: connection refused";
  expect(at(2 * dayMs).problems).toEqual([
    "the store's server is unavailable; agents keep their minutes until it is back",
  ]);
  storeFault = null;
  filesLeft = false;
  expect(at(9 * dayMs)).toMatchObject({ status: "degraded", problems: [full] });
});

test("orders that a device did not obey are told, of its present run", () => {
  filesLeft = true;
  const orderRefused = { rule: "unsigned", atMs: 0 } as const;
  const agent = anAgent({ presence: { bootId: "b" }, birth: { bootId: "b" }, reported: { bootId: "b", orderRefused } });
  const earlier = anAgent({
    presence: { bootId: "c" },
    birth: { bootId: "c" },
    reported: { bootId: "b", orderRefused },
  });
  const at = (agents: AgentState[]) =>
    controllerHealth(
      {
        ...{
          broker,
          counts: createIngestCounts(),
          store: { unreadableRows: () => [], fault: () => null },
          damage: () => null,
          openFiles,
        },
        ...{ housekeeping: { recentlyTrimmed: () => 0 }, agents: () => agents },
      },
      1_000,
    ).problems;
  expect(at([agent])).toEqual(["1 agent(s) rejected orders: see their brokerProblems"]);
  expect(at([earlier])).toEqual([]);
  expect(brokerProblemsOf(agent, true, 1_000)).toEqual([
    "it rejected an order (unsigned), most recently 1970-01-01T00:00:00.000Z: someone else is publishing through the broker, or its clock is wrong",
  ]);
});
