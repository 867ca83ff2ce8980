import { beforeEach, expect, test } from "bun:test";
import { type AgentState, observePresence, observeReported, unknownAgent } from "#controller/fleet/agent-state.ts";
import { ActOutcomes } from "#controller/scaling/loop/act-outcomes.ts";
import type { DecisionOutcome } from "#controller/store/decision-record.ts";
import type { Store } from "#controller/store/store.ts";
import type { Desired } from "#protocol/messages.ts";
import { aDesired, aPresence, aReported } from "../../../fakes/builders.ts";
import { createMemoryStore } from "../../memory-store.ts";

const confirmWithinMs = 120_000;
let nowMs: number;
let store: Store;
let agents: Map<string, AgentState>;
let documents: Map<string, Desired>;
let outcomes: ActOutcomes;

const begin = () => {
  outcomes = new ActOutcomes({
    fleet: { get: (agentId) => agents.get(agentId) },
    desired: { documents },
    store,
    confirmWithinMs,
    staleAfterMs: 3_600_000,
    nowMs: () => nowMs,
  });
};
beforeEach(() => {
  nowMs = 10_000_000;
  store = createMemoryStore();
  agents = new Map();
  documents = new Map();
  for (const agentId of ["a", "b", "c"]) {
    agents.set(agentId, observePresence(unknownAgent(agentId, nowMs), aPresence({ agentId }), nowMs)!);
  }
  begin();
});

const tell = (agentId: string, given: Partial<Desired>) =>
  documents.set(agentId, aDesired({ agentId, version: 1, issuedAtMs: nowMs, ...given }));
const says = (agentId: string, given: Partial<Parameters<typeof aReported>[0]>) =>
  agents.set(
    agentId,
    observeReported(agents.get(agentId)!, aReported({ agentId, desiredVersion: 1, ...given }), nowMs)!,
  );
const decided = async (outcome: Partial<DecisionOutcome>, kind: "scale-out" | "hold" = "scale-out") => {
  const whole: DecisionOutcome = { activated: [], stoodBy: [], skipped: [], ...outcome };
  const id = await store.insertDecision({
    ...{ atMs: nowMs, kind, rule: "peak", reason: "because", agents: [], inputs: {}, outcome: whole },
  });
  return { id, whole };
};
const follow = async (outcome: Partial<DecisionOutcome>) => {
  const { id, whole } = await decided(outcome);
  outcomes.follow(id, whole, nowMs);
  return id;
};
/** Agents that are done, with their times, and agents that are late, of the newest decision or the one named. */
const known = async (id?: number) => {
  const found = (await store.decisions({ limit: 99 })).find((each) => id === undefined || each.id === id);
  const { done = [], late = [] } = found!.outcome;
  return [
    ...done.map(({ agentId, afterS }) => `${agentId} ${afterS} s`),
    ...late.map(({ agentId }) => `${agentId} late`),
  ];
};

test("an act is done by the agent's report; role and mode of one agent are done when both are", async () => {
  tell("a", { role: "active", powerMode: "70W" });
  tell("b", { role: "standby" });
  await follow({ activated: ["a"], stoodBy: ["b"], modes: [{ agentId: "a", mode: "70W" }] });
  nowMs += 5000;
  says("a", { role: "active", powerMode: "MAXN" });
  says("b", { role: "standby" });
  await outcomes.look();
  expect(await known()).toEqual(["b 5 s"]);
  nowMs += 5000;
  says("a", { role: "active", powerMode: "70W" });
  await outcomes.look();
  expect(await known()).toEqual(["a 10 s", "b 5 s"]);
});

test("seconds are rounded, and what is known is stored when it is new, not at each look", async () => {
  tell("a", { role: "active" });
  const id = await follow({ activated: ["a"] });
  nowMs += 600_600;
  says("a", { role: "active" });
  await outcomes.look();
  expect(await known(id)).toEqual(["a 601 s"]);
  await store.updateOutcome(id, { activated: ["a"], stoodBy: [], skipped: [] });
  await outcomes.look();
  expect(await known(id)).toEqual([]);
});

test("the newest two hundred decisions are followed", async () => {
  tell("a", { role: "active" });
  tell("b", { role: "active" });
  const [first, second] = [await follow({ activated: ["a"] }), await follow({ activated: ["b"] })];
  for (let more = 0; more < 199; more += 1) outcomes.follow(second, { activated: [], stoodBy: [], skipped: [] }, nowMs);
  for (const agentId of ["a", "b"]) says(agentId, { role: "active" });
  await outcomes.look();
  expect([await known(first), await known(second)]).toEqual([[], ["b 0 s"]]);
});

test("a controller that starts takes up twenty decisions", async () => {
  tell("a", { role: "active" });
  tell("b", { role: "active" });
  const [first, second] = [await decided({ activated: ["a"] }), await decided({ activated: ["b"] })];
  for (let more = 0; more < 19; more += 1) await decided({});
  begin();
  await outcomes.recover();
  for (const agentId of ["a", "b"]) says(agentId, { role: "active" });
  await outcomes.look();
  expect([await known(first.id), await known(second.id)]).toEqual([[], ["b 0 s"]]);
});

test("what is late is said once, and may still be done", async () => {
  tell("a", { role: "active" });
  await follow({ activated: ["a"] });
  nowMs += confirmWithinMs;
  await outcomes.look();
  expect(await known()).toEqual([]);
  nowMs += 1;
  await outcomes.look();
  const first = (await store.decisions({ limit: 1 }))[0]?.outcome.late;
  nowMs += 60_000;
  await outcomes.look();
  expect((await store.decisions({ limit: 1 }))[0]?.outcome.late).toEqual(first!);
  says("a", { role: "active" });
  await outcomes.look();
  expect(await known()).toEqual(["a 180 s", "a late"]);
});

test("ten times the time allowed is waited for, no longer, and a clock set back ends it", async () => {
  tell("a", { role: "active" });
  tell("b", { role: "active" });
  const first = await follow({ activated: ["a", "c"] });
  tell("c", { role: "active" });
  const other = await follow({ activated: ["c"] });
  await outcomes.look();
  nowMs += 10 * confirmWithinMs;
  await outcomes.look();
  says("c", { role: "active" });
  await outcomes.look();
  expect(await known(other)).toEqual(["c 1200 s", "c late"]);
  nowMs += 1;
  await outcomes.look();
  says("a", { role: "active" });
  await outcomes.look();
  expect(await known(first)).toEqual(["a late"]);
  const second = await follow({ activated: ["b"] });
  nowMs -= 1;
  await outcomes.look();
  nowMs += 1;
  says("b", { role: "active" });
  await outcomes.look();
  expect(await known(second)).toEqual([]);
});

test("only what the document says is followed, and of agents that stand by only those that are there", async () => {
  tell("a", { role: "standby" });
  tell("b", { role: "standby" });
  agents.set("b", { ...agents.get("b")!, presence: aPresence({ agentId: "b", status: "offline" }) });
  tell("c", { role: "active", powerMode: "MAXN" });
  await follow({ activated: ["a", "z"], stoodBy: ["b"], modes: [{ agentId: "c", mode: "70W" }] });
  nowMs += confirmWithinMs + 1;
  await outcomes.look();
  expect(await known()).toEqual([]);
});

test("one that drains for an operator counts by the role it was given", async () => {
  tell("a", { role: "draining" });
  await follow({ stoodBy: ["a"] });
  nowMs += 1000;
  says("a", { role: "draining" });
  await outcomes.look();
  expect(await known()).toEqual(["a 1 s"]);
});

test("what another decision has overtaken is neither done nor late", async () => {
  tell("a", { role: "active" });
  await follow({ activated: ["a"] });
  tell("a", { role: "standby", version: 2 });
  nowMs += confirmWithinMs + 1;
  await outcomes.look();
  expect(await known()).toEqual([]);
});

test("an agent that is away is late with that reason, one that nobody knows as well", async () => {
  for (const agentId of ["a", "z"]) tell(agentId, { role: "active" });
  await follow({ activated: ["a", "z"] });
  agents.set("a", { ...agents.get("a")!, presence: aPresence({ agentId: "a", status: "offline" }) });
  nowMs += confirmWithinMs + 1;
  await outcomes.look();
  const [decision] = await store.decisions({ limit: 1 });
  expect(decision?.outcome.late?.map(({ agentId, reason }) => `${agentId}: ${reason.split(",")[0]}`)).toEqual([
    "a: offline",
    "z: not known",
  ]);
});

test("a controller that starts takes up what was told shortly before, holds and older decisions aside", async () => {
  tell("a", { role: "active" });
  tell("b", { role: "active" });
  tell("c", { role: "active" });
  const old = await decided({ activated: ["a"] });
  nowMs += confirmWithinMs + 1;
  const recent = await decided({ activated: ["b"], done: [{ agentId: "x", afterS: 3 }] });
  const held = await decided({ activated: ["c"] }, "hold");
  begin();
  await outcomes.recover();
  nowMs += 2000;
  for (const agentId of ["a", "b", "c"]) says(agentId, { role: "active" });
  await outcomes.look();
  expect(await known(old.id)).toEqual([]);
  expect(await known(recent.id)).toEqual(["x 3 s", "b 2 s"]);
  expect(await known(held.id)).toEqual([]);
});
