import { afterAll, beforeAll, expect, test } from "bun:test";
import { AlertMonitor } from "#controller/alerts/alert-monitor.ts";
import { AlertsConfig } from "#controller/alerts/alerts-config.ts";
import { createNotifier } from "#controller/alerts/notify/create-notifier.ts";
import type { Notice, Notifier } from "#controller/alerts/notify/notifier.ts";
import type { RuleValue } from "#controller/alerts/read-service.ts";
import { systemClock } from "#platform/clock.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import { type Alertmanager, startAlertmanager } from "../../fakes/alertmanager.ts";
import { createMemoryStore } from "../memory-store.ts";

const log = createLogger("test", "silent");

/** Monitor whose one value the test sets, with a clock that it moves. */
function aMonitor(given: object = {}, store = createMemoryStore()) {
  const config = parseConfig(AlertsConfig, { groupWaitS: 0, groupIntervalS: 0, ...given }, "test");
  let nowMs = Date.UTC(2026, 10, 30);
  let value: number | null = 0;
  const told: Notice[] = [];
  const notifiers: Notifier[] = config.notifiers.map(({ name, kind }) => ({
    ...{ name, kind },
    send: async (notices) => void told.push(...notices),
  }));
  const monitor = new AlertMonitor({
    ...{ config, notifiers, store, log, readings: async () => [] },
    clock: { ...systemClock, nowMs: () => nowMs },
    values: async (): Promise<RuleValue[]> => [{ rule: "error-rate", labels: {}, value }],
  });
  return {
    ...{ monitor, store, told },
    async at(minutes: number, percent: number | null) {
      nowMs += minutes * minuteMs;
      value = percent;
      await monitor.look();
      await Bun.sleep(0);
      while (monitor.notifiers().some(({ queued }) => queued > 0)) await Bun.sleep(1);
      return monitor.alerts().map(({ status }) => status);
    },
  };
}
const hook = { notifiers: [{ name: "a", kind: "webhook", url: "http://127.0.0.1:1/", secretEnv: "X" }] };
const statuses = (told: readonly Notice[]) => told.map(({ status }) => status);

test("an alert is told once when it fires and once when it is over, and again after a day", async () => {
  const { at, told } = aMonitor(hook);
  expect(await at(0, 5)).toEqual(["pending"]);
  expect(told).toEqual([]);
  expect(await at(2, 5)).toEqual(["firing"]);
  for (let minute = 0; minute < 5; minute += 1) await at(1, 5);
  expect(statuses(told)).toEqual(["firing"]);
  await at(24 * 60, 5);
  expect(statuses(told)).toEqual(["firing", "firing"]);
  expect(await at(1, 0)).toEqual(["resolved"]);
  await at(1, 0);
  expect(statuses(told)).toEqual(["firing", "firing", "resolved"]);
  expect(told.at(-1)).toMatchObject({ rule: "error-rate", severity: "critical", endsAtMs: expect.any(Number) });
});

test("a restart neither forgets an alert nor tells it again", async () => {
  const { at, told, store } = aMonitor(hook);
  await at(0, 5);
  await at(2, 5);
  const again = aMonitor(hook, store);
  await again.monitor.recover();
  expect(again.monitor.alerts().map(({ status }) => status)).toEqual(["firing"]);
  await again.at(3, 5);
  expect(again.told).toEqual([]);
  await again.at(1, 0);
  expect(statuses([...told, ...again.told])).toEqual(["firing", "resolved"]);
});

test("a silenced alert is shown and not told; a silence ends by its time or by hand", async () => {
  const { at, told, monitor } = aMonitor(hook);
  const silence = await monitor.silence({ rule: "error-rate", labels: [], reason: "stocktaking", by: "me" }, 3600);
  await at(0, 5);
  await at(2, 5);
  expect(told).toEqual([]);
  expect(monitor.alerts()[0]).toMatchObject({ status: "firing", silenced: true });
  await monitor.endSilence(silence.id);
  await at(1, 5);
  expect(statuses(told)).toEqual(["firing"]);
  await expect(monitor.endSilence(silence.id)).rejects.toThrow("there is no silence");
  await monitor.silence({ rule: null, labels: [], reason: "x", by: "me" }, 60);
  await at(2, 5);
  expect(monitor.silences()).toEqual([]);
});

test("what is less severe than a notifier wants is not told to it, and null turns a rule off", async () => {
  const quiet = aMonitor({ ...hook, rules: { "error-rate": { threshold: null } } });
  expect(await quiet.at(0, 50)).toEqual([]);
  const info = {
    rules: { "error-rate": { threshold: 1, forS: 0 } },
    notifiers: [{ ...hook.notifiers[0], minSeverity: "critical" }],
  };
  const loud = aMonitor(info);
  await loud.at(0, 5);
  expect(statuses(loud.told)).toEqual(["firing"]);
});

test("a test and a digest go to all who want them", async () => {
  const { monitor, told, at } = aMonitor({ notifiers: [{ ...hook.notifiers[0], digest: false }] });
  expect(monitor.announce("digest", "yesterday", "text")).toBe(0);
  expect(monitor.announce("test", "a test", "text")).toBe(1);
  await at(0, 0);
  expect(statuses(told)).toEqual(["test"]);
});

let receiver: ReturnType<typeof Bun.serve>;
let alertmanager: Alertmanager;
const received: { status: string; labels: Record<string, string>; annotations: Record<string, string> }[] = [];
const wakers: (() => void)[] = [];
beforeAll(async () => {
  receiver = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0 },
    async fetch(request) {
      const { alerts } = (await request.json()) as { alerts: typeof received };
      received.push(...alerts);
      for (const wake of wakers.splice(0)) wake();
      return new Response("ok");
    },
  });
  alertmanager = await startAlertmanager(receiver.url.href);
});
afterAll(async () => {
  await alertmanager.dispose();
  await receiver.stop(true);
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => wakers.push(resolve));
}

test("a real Alertmanager receives a firing and a resolved alert, and passes both on", async () => {
  const config = parseConfig(
    AlertsConfig,
    {
      notifiers: [{ name: "am", kind: "alertmanager", url: alertmanager.url }],
      rules: { "daily-cost": { threshold: 100, forS: 0 } },
    },
    "test",
  );
  let usd = 270;
  const monitor = new AlertMonitor({
    ...{ config, store: createMemoryStore(), log, clock: systemClock, readings: async () => [] },
    notifiers: config.notifiers.map((each) => createNotifier(each, { fleetName: "hall", environment: {} })),
    values: async () => [{ rule: "daily-cost", labels: {}, value: usd, detail: "most of it: tenant shop" }],
  });
  await monitor.look();
  await until(() => received.some(({ status }) => status === "firing"));
  const [listed] = await alertmanager.alerts();
  expect(listed).toMatchObject({
    labels: { alertname: "thormesh-daily-cost", fleet: "hall", severity: "warning" },
    annotations: { description: expect.stringContaining("270 $, above 100") },
  });
  usd = 50;
  await monitor.look();
  await until(() => received.some(({ status }) => status === "resolved"));
  expect(received.find(({ status }) => status === "resolved")?.labels["alertname"]).toBe("thormesh-daily-cost");
  expect(await alertmanager.alerts()).toEqual([]);
  expect(monitor.notifiers()).toMatchObject([{ name: "am", sent: 2, failures: 0, dropped: 0, lastError: null }]);
  await monitor.stop();
});

test("an alert that goes on is told to an Alertmanager each minute, to others not", async () => {
  const { at, told } = aMonitor({ notifiers: [{ name: "am", kind: "alertmanager", url: alertmanager.url }] });
  await at(0, 5);
  for (const minutes of [2, 1, 1]) await at(minutes, 5);
  expect(statuses(told)).toEqual(["firing", "firing", "firing"]);
  await at((24 * hourMs) / minuteMs, 0);
  expect(statuses(told).at(-1)).toBe("resolved");
});
