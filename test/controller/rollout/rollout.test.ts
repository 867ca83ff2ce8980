import { beforeEach, expect, test } from "bun:test";
import type { AgentState } from "#controller/fleet/agent-state.ts";
import { Rollout } from "#controller/rollout/rollout.ts";
import { planOf } from "#controller/rollout/rollout-schemas.ts";
import { createLogger } from "#platform/log.ts";
import type { Desired } from "#protocol/messages.ts";
import { anAgent } from "../../fakes/builders.ts";

const nowMs = Date.UTC(2026, 11, 2);
let agents: AgentState[];
let documents: Map<string, Desired>;
let kept: unknown;
let changes: string[];
let mayAct: boolean;
let burnRate: number | null;

const agent = (agentId: string, version = "0.1.0", update: object = {}) =>
  anAgent({
    ...{ agentId, nowMs, birth: { version, region: agentId } },
    reported: { update: { allowed: true, wanted: null, state: "none", reason: "", ...update } } as never,
  });

const create = () =>
  new Rollout({
    fleet: { agents: () => agents },
    desired: {
      documents,
      async change(agentId, { update }) {
        changes.push(`${agentId} ${update?.version ?? "none"}`);
        const document = { agentId, ...(update == null ? {} : { update }) } as Desired;
        documents.set(agentId, document);
        return document;
      },
    },
    store: {
      async saveKept(_, document) {
        kept = structuredClone(document);
      },
      loadKept: async () => kept as never,
    },
    sloReports: { rows: async () => [{ window: "1h", scope: "fleet", burnRate }] as never },
    ...{
      minServing: 1,
      staleAfterMs: 60_000,
      mayAct: () => mayAct,
      nowMs: () => nowMs,
      log: createLogger("test", "silent"),
    },
  });

beforeEach(() => {
  agents = [agent("a"), agent("b"), agent("c")];
  documents = new Map();
  kept = null;
  changes = [];
  mayAct = true;
  burnRate = null;
});

const everybody = planOf({ version: "0.2.0", waves: [{ share: 1 }] });

test("tells agents, waits for them, and ends when all run the version", async () => {
  const rollout = create();
  await rollout.start(everybody);
  await rollout.evaluate();
  expect(changes).toHaveLength(2);
  await rollout.evaluate();
  expect(changes).toHaveLength(2);
  agents = agents.map(({ agentId }) => agent(agentId, documents.has(agentId) ? "0.2.0" : "0.1.0"));
  await rollout.evaluate();
  expect(changes).toHaveLength(3);
  agents = agents.map(({ agentId }) => agent(agentId, "0.2.0"));
  await rollout.evaluate();
  expect(rollout.current()).toMatchObject({ state: "done" });
  expect(rollout.progress()?.counts).toMatchObject({ updated: 3, failed: 0 });
});

test("goes on after a restart of the controller where it was", async () => {
  const first = create();
  await first.start(everybody);
  await first.evaluate();
  const second = create();
  await second.recover();
  await second.evaluate();
  expect(changes).toHaveLength(2);
  expect(second.current()).toMatchObject({ id: first.current()?.id, state: "running" });
});

test("a failure halts it; resumed, it goes on without that agent", async () => {
  const rollout = create();
  await rollout.start(everybody);
  await rollout.evaluate();
  const [first = ""] = [...documents.keys()];
  agents = agents.map(({ agentId }) =>
    agentId === first ? agent(agentId, "0.1.0", { wanted: "0.2.0", state: "failed" }) : agent(agentId, "0.2.0"),
  );
  await rollout.evaluate();
  expect(rollout.current()).toMatchObject({
    state: "halted",
    reason: "halted: more than 0 agent(s) rolled 0.2.0 back",
  });
  await expect(rollout.start(everybody)).rejects.toThrow("the roll-out of 0.2.0 is halted: stop it first");
  await rollout.resume();
  await rollout.evaluate();
  expect(rollout.current()).toMatchObject({ state: "done" });
});

test("the error budget halts it", async () => {
  const rollout = create();
  await rollout.start({ ...everybody, maxBurnRate: 2 });
  burnRate = 3;
  await rollout.evaluate();
  expect(rollout.current()).toMatchObject({ state: "halted" });
  expect(changes).toEqual([]);
});

test("stopped, it takes its order back from those that have not followed it", async () => {
  const rollout = create();
  await rollout.start(everybody);
  await rollout.evaluate();
  const told = [...changes];
  agents = agents.map(({ agentId }) => agent(agentId, told[0]?.startsWith(agentId) ? "0.2.0" : "0.1.0"));
  await rollout.stop();
  expect(changes.slice(2)).toEqual([told[1]?.replace("0.2.0", "none") as string]);
  await rollout.evaluate();
  expect(changes).toHaveLength(3);
  await expect(rollout.pause()).rejects.toThrow("the roll-out of 0.2.0 is stopped, expected it to be running");
});

test("does nothing while the controller may not act, or it is paused", async () => {
  const rollout = create();
  await expect(rollout.pause()).rejects.toThrow("there is no roll-out");
  await rollout.start(everybody);
  mayAct = false;
  await rollout.evaluate();
  mayAct = true;
  await rollout.pause();
  await rollout.evaluate();
  expect(changes).toEqual([]);
  await rollout.resume();
  await rollout.evaluate();
  expect(changes).toHaveLength(2);
});
