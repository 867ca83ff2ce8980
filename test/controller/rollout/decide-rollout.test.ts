import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import {
  decideRollout,
  isInWindow,
  placeOf,
  progressOf,
  type RolloutAgent,
  type RolloutInputs,
  waveOf,
} from "#controller/rollout/decide-rollout.ts";
import { explainRollout } from "#controller/rollout/explain-rollout.ts";
import { type KeptRollout, RolloutPlan } from "#controller/rollout/rollout-schemas.ts";

const nowMs = Date.UTC(2026, 11, 2, 3, 30);
const planOf = (change: object = {}): RolloutPlan => ({
  ...(Value.Default(RolloutPlan, { version: "0.2.0", maxBurnRate: null, window: null }) as RolloutPlan),
  ...change,
});
const rolloutOf = (plan: object = {}, change: Partial<KeptRollout> = {}): KeptRollout => ({
  ...{ id: "a1b2c3d4", plan: planOf({ waves: [{ share: 1, regions: [] }], ...plan }), state: "running", reason: "" },
  ...{ startedAtMs: nowMs, wave: 0, waveSinceMs: nowMs, pardoned: [], ...change },
});
const agent = (agentId: string, change: Partial<RolloutAgent> = {}): RolloutAgent => ({
  ...{
    agentId,
    region: agentId,
    online: true,
    serves: true,
    version: "0.1.0",
    allows: true,
    orderedAtMs: null,
    failed: false,
  },
  ...change,
});
const decide = (rollout: KeptRollout, agents: readonly RolloutAgent[], more: Partial<RolloutInputs> = {}) => {
  const decision = decideRollout({ rollout, agents, minServing: 1, burnRate: null, nowMs, ...more });
  expect(explainRollout(decision, rollout)).not.toContain("undefined");
  return decision.kind === "tell"
    ? decision.agentIds
    : "rule" in decision
      ? `${decision.kind} ${decision.rule}`
      : decision.kind;
};

describe("the next step of a roll-out", () => {
  const done = { version: "0.2.0" };
  const ordered = { orderedAtMs: nowMs - 1000 };
  test.each<[string, KeptRollout, RolloutAgent[], unknown]>([
    ["nobody is there", rolloutOf(), [], "done"],
    ["one agent alone is told", rolloutOf(), [agent("a")], ["a"]],
    ["it runs the version already", rolloutOf(), [agent("a", done)], "done"],
    ["a newer one than wanted is not what was wanted", rolloutOf(), [agent("a", { version: "0.3.0" })], ["a"]],
    ["its owner does not allow it", rolloutOf(), [agent("a", { allows: false })], "done"],
    ["it is of a version that can't be", rolloutOf(), [agent("a", { allows: null })], "done"],
    ["it is offline", rolloutOf(), [agent("a", { online: false, serves: false })], "wait absent"],
    [
      "of three serving ones two may be away, of different regions",
      rolloutOf(),
      [agent("a"), agent("b"), agent("c")],
      2,
    ],
    [
      "of one region one at a time",
      rolloutOf(),
      [agent("a", { region: "x" }), agent("b", { region: "x" }), agent("c", { region: "x" })],
      1,
    ],
    [
      "one of its region is under way",
      rolloutOf(),
      [agent("a", { region: "x", ...ordered }), agent("b", { region: "x" }), agent("c", { region: "x" })],
      "wait under-way",
    ],
    [
      "who stands by goes first",
      rolloutOf({ maxAtOnce: 1 }),
      [agent("a"), agent("b", { serves: false }), agent("c")],
      ["b"],
    ],
    ["one has failed", rolloutOf(), [agent("a", { failed: true }), agent("b")], "halt failures"],
    ["one may fail", rolloutOf({ maxFailures: 1 }), [agent("a", { failed: true }), agent("b")], ["b"]],
    ["a failure was pardoned", rolloutOf({}, { pardoned: ["a"] }), [agent("a", { failed: true }), agent("b")], ["b"]],
    [
      "one is overdue",
      rolloutOf({ updateWithinS: 60 }),
      [agent("a", { orderedAtMs: nowMs - 61_000 }), agent("b")],
      "halt failures",
    ],
    [
      "one is late, not yet overdue",
      rolloutOf({ updateWithinS: 60 }),
      [agent("a", { orderedAtMs: nowMs - 60_000 })],
      "wait under-way",
    ],
    ["paused", rolloutOf({}, { state: "paused" }), [agent("a")], "wait not-running"],
    ["halted", rolloutOf({}, { state: "halted" }), [agent("a")], "wait not-running"],
    [
      "outside its window",
      rolloutOf({ window: { fromMinute: 240, toMinute: 300, days: [] } }),
      [agent("a")],
      "wait window",
    ],
    ["inside its window", rolloutOf({ window: { fromMinute: 180, toMinute: 300, days: [3] } }), [agent("a")], ["a"]],
    [
      "a wave is over",
      rolloutOf({
        waves: [
          { share: 1, regions: ["x"] },
          { share: 1, regions: [] },
        ],
      }),
      [agent("a", { region: "x", ...done }), agent("b")],
      "next-wave",
    ],
    [
      "the next one rests first",
      rolloutOf(
        {
          waves: [
            { share: 1, regions: ["x"] },
            { share: 1, regions: [] },
          ],
        },
        { wave: 1 },
      ),
      [agent("a", { region: "x", ...done }), agent("b")],
      "wait soak",
    ],
    [
      "then it goes on",
      rolloutOf(
        {
          waves: [
            { share: 1, regions: ["x"] },
            { share: 1, regions: [] },
          ],
        },
        { wave: 1, waveSinceMs: nowMs - 600_000 },
      ),
      [agent("a", { region: "x", ...done }), agent("b")],
      ["b"],
    ],
  ])("%s", (_, rollout, agents, expected) => {
    const got = decide(rollout, agents);
    if (typeof expected === "number") expect(got).toHaveLength(expected);
    else expect(got).toEqual(expected as never);
  });

  test("as many go on serving as are needed", () => {
    const agents = ["a", "b", "c", "d"].map((id) => agent(id));
    expect(decide(rolloutOf(), agents, { minServing: 3 })).toHaveLength(1);
    expect(decide(rolloutOf(), agents, { minServing: 9 })).toHaveLength(1);
    expect(decide(rolloutOf(), agents, { minServing: 0 })).toHaveLength(4);
  });

  test("the error budget halts it", () => {
    const rollout = rolloutOf({ maxBurnRate: 6 });
    expect(decide(rollout, [agent("a")], { burnRate: 6 })).toEqual(["a"]);
    expect(decide(rollout, [agent("a")], { burnRate: 6.1 })).toBe("halt slo");
  });
});

test.each([
  [{ fromMinute: 0, toMinute: 60, days: [] }, "00:00", true],
  [{ fromMinute: 0, toMinute: 60, days: [] }, "01:00", false],
  [{ fromMinute: 1320, toMinute: 120, days: [] }, "23:00", true],
  [{ fromMinute: 1320, toMinute: 120, days: [] }, "01:59", true],
  [{ fromMinute: 1320, toMinute: 120, days: [] }, "12:00", false],
  // 2 December 2026 is a Wednesday.
  [{ fromMinute: 0, toMinute: 60, days: [3] }, "00:30", true],
  [{ fromMinute: 0, toMinute: 60, days: [4] }, "00:30", false],
  [{ fromMinute: 1320, toMinute: 120, days: [2] }, "01:00", true],
  [{ fromMinute: 1320, toMinute: 120, days: [3] }, "01:00", false],
])("the window %p is open at %s: %p", (window, time, open) => {
  expect(isInWindow(window, new Date(`2026-12-02T${time}:00Z`).getTime())).toBe(open);
});

test("hashes of ids are spread evenly, and an agent stays in its wave", () => {
  const ids = Array.from({ length: 10_000 }, (_, index) => `thor-${index}`);
  for (let tenth = 0; tenth < 10; tenth += 1) {
    const share = ids.filter((id) => Math.floor(placeOf(id) * 10) === tenth).length / ids.length;
    expect(share).toBeGreaterThan(0.08);
    expect(share).toBeLessThan(0.12);
  }
  const plan = planOf();
  const early = ids.filter((agentId) => waveOf(plan, { agentId, region: "" }) === 0);
  expect(early.length).toBeGreaterThan(350);
  expect(early.length).toBeLessThan(650);
});

/** Numbers from 0 to 1 by a seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test("over random fleets: never two of a region, never too few that serve, never beyond its wave, and it ends", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = seeded(seed);
    const pick = (count: number) => Math.floor(random() * count);
    const plan = planOf({
      waves: [
        { share: 0.1 + random() * 0.4, regions: random() < 0.3 ? ["r1"] : [] },
        { share: 1, regions: [] },
      ],
      ...{ maxAtOnce: 1 + pick(4), soakS: 60, maxFailures: random() < 0.5 ? 0 : 1000, updateWithinS: 600 },
    });
    let rollout = rolloutOf({}, { plan });
    const minServing = pick(4);
    let agents = Array.from({ length: 1 + pick(12) }, (_, index) =>
      agent(`a${index}`, {
        ...{
          region: `r${pick(4)}`,
          serves: random() < 0.7,
          allows: random() < 0.8 ? true : random() < 0.5 ? false : null,
        },
      }),
    );
    let atMs = nowMs;
    let ended = "";
    for (let step = 0; step < 500 && ended === ""; step += 1) {
      atMs += 10_000;
      const decision = decideRollout({ rollout, agents, minServing, burnRate: null, nowMs: atMs });
      if (decision.kind === "next-wave") rollout = { ...rollout, wave: rollout.wave + 1, waveSinceMs: atMs };
      if (decision.kind === "done" || decision.kind === "halt") ended = decision.kind;
      if (decision.kind === "tell") {
        for (const id of decision.agentIds) {
          const told = agents.find(({ agentId }) => agentId === id) as RolloutAgent;
          expect(told.allows).toBe(true);
          expect(waveOf(plan, told)).toBeLessThanOrEqual(rollout.wave);
          agents = agents.map((each) => (each === told ? { ...each, orderedAtMs: atMs } : each));
        }
        const away = agents.filter((each) => progressOf(rollout, each, atMs) === "under-way");
        expect(new Set(away.map(({ region }) => region)).size).toBe(away.length);
        expect(away.length).toBeLessThanOrEqual(plan.maxAtOnce);
        const serving = agents.filter(({ serves }) => serves).length;
        const staying = serving - away.filter(({ serves }) => serves).length;
        expect(staying).toBeGreaterThanOrEqual(Math.min(minServing, Math.max(0, serving - 1)));
      }
      // Some that were told end their update, well or not.
      agents = agents.map((each) =>
        each.orderedAtMs === null || random() < 0.5
          ? each
          : random() < 0.95
            ? { ...each, version: "0.2.0" }
            : { ...each, failed: true },
      );
    }
    expect({ seed, ended }).toEqual({ seed, ended: expect.stringMatching(/^(done|halt)$/) });
  }
});
