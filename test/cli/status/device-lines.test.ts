import { expect, test } from "bun:test";
import type { AgentStatus } from "#agent/agent-status.ts";
import { exampleStatus } from "#agent/agent-status-example.ts";
import type { LocalView } from "#agent/local/local-door.ts";
import { deviceToText, lasted } from "#cli/status/device-lines.ts";

const status = exampleStatus as unknown as AgentStatus;
const view = (changes: Partial<AgentStatus> = {}, more: Partial<LocalView> = {}): LocalView => ({
  status: { ...status, ...changes },
  minute: null,
  models: ["all-MiniLM-L6-v2"],
  events: [],
  ...more,
});

test("shows on one screen how the device is, and why", () => {
  const minute = {
    ...{ minuteStartMs: 0, qps: 40.12, offeredQps: 41, workQps: 41, requests: 2400, errors: 1, rejected: 2 },
    ...{ queueDepth: 0, p95LatencyMs: 21.7, watts: 30, energyJ: 1800, maxTemperatureC: 50, gpuUtilization: null },
    ...{ role: "active" as const, powerMode: "70W" },
  };
  const events = [{ time: "2026-11-30T12:34:56.000Z", level: "warn", msg: "not connected\u001b[2J" }];
  const text = deviceToText(view({}, { minute, events }));
  expect(text).not.toContain("\u001b");
  expect(text.split("\n")).toEqual([
    "thor-1: thormesh 0.1.0, up 2 h 46 min, fleet hall",
    "role        active: needed for the forecast peak of 63 texts/s",
    "models      all-MiniLM-L6-v2",
    "traffic     41.2 texts/s now; last minute 40.1 texts/s, p95 22 ms, 1 errors, 2 refused",
    "mode        70W",
    "power       ? W, ? °C",
    "forecast    none yet (lstm)",
    "broker      connected to mqtt://10.0.0.5:1883 (MQTT 5)",
    "controller  online",
    "outbox      0 records waiting, 0 dropped",
    expect.stringContaining("12:34:56    warn not connected"),
  ]);
});

test("names what does not work", () => {
  const text = deviceToText(
    view(
      {
        broker: { url: "mqtt://u:p@h:1", connected: false, protocol: null, problem: "refused", refused: [] },
        controllerOnline: false,
        storage: { ...status.storage, failing: { sinceMs: 1, reason: "the disk is full" } },
        power: { ...status.power, board: "none" },
      },
      { models: [] },
    ),
  );
  expect(text).toContain("models      none loaded");
  expect(text).toContain("power       no board: power is neither measured nor controlled");
  expect(text).toMatch(/broker {6}NOT connected to mqtt:\/\/.*h:1: refused/);
  expect(text).not.toContain("u:p@");
  expect(text).toContain("controller  not heard from");
  expect(text).toContain("DISK        the disk is full");
});

test("shows the forecast peak and the power that was measured", () => {
  const forecast = { madeAtMs: 1, model: "lstm", reason: "r", stepMs: 60_000, qps: [1, 5, 3] };
  const sample = { ...{ atMs: 1, inputPowerMw: 31_400, junctionTemperatureC: 52.4 }, gpuUtilization: null };
  const power = { ...status.power, sample } as unknown as AgentStatus["power"];
  const text = deviceToText(view({ forecast, power }));
  expect(text).toContain("forecast    peak 5.0 texts/s in 3 min (lstm)");
  expect(text).toContain("power       31.4 W, 52 °C");
});

test.each([
  [59_000, "0 min"],
  [3_600_000, "1 h 0 min"],
  [90_061_000, "1 d 1 h"],
])("%d ms are %s", (ms, text) => {
  expect(lasted(ms)).toBe(text);
});
