import { describe, expect, test } from "bun:test";
import { CapacityConfig, checkCapacityConfig } from "#controller/scaling/actuators/capacity-config.ts";
import type { MachineLook } from "#controller/scaling/actuators/capacity-provider.ts";
import { decideMachine, type MachineDecision } from "#controller/scaling/actuators/decide-machine.ts";
import { explainMachine, explainUnavailable } from "#controller/scaling/actuators/explain-machine.ts";
import { parseConfig } from "#platform/files/read-config.ts";

const times = { startupMs: 90_000, lingerMs: 300_000, avoidForMs: 180_000 };
const now = 1_000_000;
const off: MachineLook = {
  desiredRole: null,
  desiredSinceMs: now - 1000,
  online: false,
  ownRole: null,
  asked: null,
  failedAtMs: null,
};
const on = (agoMs: number, attempts = 1) => ({ want: "on" as const, atMs: now - agoMs, attempts });

describe("a machine", () => {
  test.each<{ $: string; look: Partial<MachineLook>; ask: "on" | "off" | null; counts: boolean; failed?: boolean }>([
    { $: "that is off can be had", look: {}, ask: null, counts: true },
    { $: "on standby and off can be had", look: { desiredRole: "standby" }, ask: null, counts: true },
    { $: "is switched on when its agent is to serve", look: { desiredRole: "active" }, ask: "on", counts: true },
    { $: "is waited for", look: { desiredRole: "active", asked: on(90_000) }, ask: null, counts: true },
    {
      $: "that doesn't come has failed, and is tried again",
      look: { desiredRole: "active", asked: on(90_001) },
      ask: "on",
      counts: false,
      failed: true,
    },
    {
      $: "on its second try is not counted on",
      look: { desiredRole: "active", asked: on(10, 2), failedAtMs: now - 10 },
      ask: null,
      counts: false,
    },
    { $: "that failed is left out for a while", look: { failedAtMs: now - 180_000 }, ask: null, counts: false },
    { $: "and then can be had again", look: { failedAtMs: now - 180_001 }, ask: null, counts: true },
    {
      $: "that is there is left alone",
      look: { desiredRole: "active", online: true, ownRole: "active", asked: on(999_999) },
      ask: null,
      counts: true,
    },
    {
      $: "on standby stays on for a while",
      look: { desiredRole: "standby", online: true, ownRole: "standby", desiredSinceMs: now - 299_999 },
      ask: null,
      counts: true,
    },
    {
      $: "then is switched off",
      look: { desiredRole: "standby", online: true, ownRole: "standby", desiredSinceMs: now - 300_000 },
      ask: "off",
      counts: true,
    },
    {
      $: "but not while its agent still serves",
      look: { desiredRole: "standby", online: true, ownRole: "active", desiredSinceMs: 0 },
      ask: null,
      counts: true,
    },
    {
      $: "nor twice at once",
      look: {
        desiredRole: "standby",
        online: true,
        ownRole: "standby",
        desiredSinceMs: 0,
        asked: { want: "off", atMs: now - 10, attempts: 1 },
      },
      ask: null,
      counts: true,
    },
    {
      $: "that doesn't go is asked again",
      look: {
        desiredRole: "standby",
        online: true,
        ownRole: "standby",
        desiredSinceMs: 0,
        asked: { want: "off", atMs: now - 90_001, attempts: 1 },
      },
      ask: "off",
      counts: true,
    },
    {
      $: "nobody has decided about is left alone",
      look: { online: true, ownRole: "standby", desiredSinceMs: 0 },
      ask: null,
      counts: true,
    },
    {
      $: "a clock set back makes nothing late",
      look: { desiredRole: "active", asked: on(-500_000) },
      ask: null,
      counts: true,
    },
  ])("$$", ({ look, ask, counts, failed = false }) => {
    const decision = decideMachine({ ...off, ...look }, times, now);
    expect(decision).toMatchObject({ ask });
    expect(decision.rule === "late").toBe(failed);
    expect(decision.unavailable === null).toBe(counts);
  });
});

test.each<[Partial<MachineLook>, string, string | null]>([
  [{ desiredRole: "active" }, "it should serve and its machine is off", null],
  [{ desiredRole: "active", online: true }, "it is online", null],
  [{ desiredRole: "active", asked: on(40_000) }, "its machine was switched on 40 s ago", null],
  [
    { desiredRole: "active", asked: on(90_001) },
    "its machine was switched on 90 s ago and it is not online: trying again",
    "its machine was switched on 90 s ago and it is not online",
  ],
  [
    { desiredRole: "active", asked: on(10_000, 2), failedAtMs: now - 10_000 },
    "its machine was switched on 10 s ago",
    "its machine was switched on 10 s ago, attempt 2",
  ],
  [{ failedAtMs: now - 60_000 }, "its machine is off", "its machine failed to start 60 s ago"],
  [{ desiredRole: "standby", online: true, desiredSinceMs: now - 300_000 }, "it has been on standby for 300 s", null],
  [
    { desiredRole: "standby", online: true, desiredSinceMs: 0, asked: { want: "off", atMs: now, attempts: 1 } },
    "it is being switched off",
    null,
  ],
])("what is said of %j", (look, reason, unavailable) => {
  const decision = decideMachine({ ...off, ...look }, times, now);
  expect([explainMachine(decision), explainUnavailable(decision)]).toEqual([reason, unavailable]);
});

test.each<[Partial<MachineLook>, MachineDecision["rule"]]>([
  [{}, "off"],
  [{ desiredRole: "standby" }, "off"],
  [{ desiredRole: "active" }, "switch-on"],
  [{ desiredRole: "active", asked: { want: "off", atMs: now, attempts: 1 } }, "switch-on"],
  [{ desiredRole: "active", asked: on(90_000) }, "starting"],
  [{ desiredRole: "active", asked: on(90_001) }, "late"],
  [{ desiredRole: "active", online: true }, "serving"],
  [{ desiredRole: "standby", online: true }, "on-standby"],
  [{ desiredRole: null, online: true, desiredSinceMs: 0 }, "on-standby"],
  [{ desiredRole: "standby", online: true, desiredSinceMs: 0 }, "switch-off"],
  [
    {
      desiredRole: "standby",
      online: true,
      desiredSinceMs: 0,
      asked: { want: "off", atMs: now - 90_000, attempts: 1 },
    },
    "stopping",
  ],
])("%j: %s", (look, rule) => {
  expect(decideMachine({ ...off, ...look }, times, now).rule).toBe(rule);
});

test("the figures: how long ago, never, or now by a clock that was set back", () => {
  const figures = (look: Partial<MachineLook>) => {
    const { askedAgoMs, failedAgoMs, restsMs, attempts } = decideMachine({ ...off, ...look }, times, now);
    return [askedAgoMs, failedAgoMs, restsMs, attempts];
  };
  const never = Number.POSITIVE_INFINITY;
  expect(figures({})).toEqual([never, never, 1000, 0]);
  expect(figures({ asked: on(500, 3), failedAtMs: now - 700 })).toEqual([500, 700, 1000, 3]);
  expect(figures({ asked: on(-500), failedAtMs: now + 700, desiredSinceMs: now + 9 })).toEqual([0, 0, 0, 1]);
});

test("an agent has one provider", () => {
  const config = parseConfig(
    CapacityConfig,
    {
      process: [
        { id: "a", listen: "127.0.0.1:1" },
        { id: "a", listen: "127.0.0.1:2" },
      ],
      webhooks: [{ url: "https://x", secretEnv: "S", agents: ["b", "a"] }],
    },
    "test",
  );
  expect(checkCapacityConfig(config).map((line) => line.split(":")[0])).toEqual([
    "process.1.id",
    "webhooks.0.agents.1",
  ]);
});
