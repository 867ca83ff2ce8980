import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { Sleep, type SleepCircumstances } from "#agent/power/sleep/sleep.ts";
import { SleepConfig } from "#agent/power/sleep/sleep-config.ts";
import { suspend } from "#agent/power/sleep/suspend.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import type { Presence } from "#protocol/messages.ts";
import { aDesired, aPresence } from "../../../fakes/builders.ts";

let directory: string;
let logged: string;
const log = () =>
  pino(
    { level: "info" },
    {
      write(line: string) {
        logged += line;
      },
    },
  );
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thormesh-sleep-"));
  logged = "";
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const idle: SleepCircumstances = {
  role: "standby",
  requestsInFlight: 0,
  outboxRecords: 0,
  controllerOnline: true,
  servingPeers: 1,
  boardInUse: null,
  nowMs: 0,
};

function begin(config: object) {
  const steps: string[] = [];
  const sleep = new Sleep({
    config: parseConfig(SleepConfig, config, "test"),
    agentId: "a",
    disconnect: async () => void steps.push("disconnect"),
    reconnect: async () => void steps.push("reconnect"),
    log: log(),
  });
  return { sleep, steps };
}

test("leaves the fleet, is suspended, and comes back; then it stands by anew", async () => {
  const { sleep, steps } = begin({ suspendCommand: ["false"], afterS: 10, mac: "02:00:00:00:00:01" });
  await sleep.evaluate(idle);
  await sleep.evaluate({ ...idle, nowMs: 9_999 });
  expect(steps).toEqual([]);
  await sleep.evaluate({ ...idle, nowMs: 10_000 });
  expect(steps).toEqual(["disconnect", "reconnect"]);
  await sleep.evaluate({ ...idle, nowMs: 11_000 });
  expect(steps).toEqual(["disconnect", "reconnect"]);
  expect(logged).toContain("the device can't be suspended");
  expect(sleep.asleep()).toEqual({ mac: "02:00:00:00:00:01" });
});

test("service in between begins the time anew", async () => {
  const { sleep, steps } = begin({ suspendCommand: ["false"], afterS: 10 });
  await sleep.evaluate(idle);
  await sleep.evaluate({ ...idle, role: "active", nowMs: 5_000 });
  await sleep.evaluate({ ...idle, nowMs: 8_000 });
  await sleep.evaluate({ ...idle, nowMs: 17_000 });
  expect(steps).toEqual([]);
});

test("stopped while it sleeps it does not come back", async () => {
  const { sleep, steps } = begin({ suspendCommand: ["sleep", "60"], afterS: 1 });
  await sleep.evaluate(idle);
  const sleeping = sleep.evaluate({ ...idle, nowMs: 1_000 });
  while (!steps.includes("disconnect")) await Bun.sleep(5);
  sleep.stop();
  await sleeping;
  expect(steps).toEqual(["disconnect"]);
});

const asleep = (agentId: string, mac: string | null): Presence => ({
  ...aPresence({ agentId, role: "standby", url: "http://10.0.0.7:8080" }),
  asleep: { mac },
});

test("wakes a sleeping peer that is wanted, by its address, once a while, until it is awake", async () => {
  const marks = join(directory, "marks");
  const { sleep } = begin({ wakeCommand: ["sh", "-c", `echo {agent} {mac} {host} >> ${marks}`], wakeRetryS: 60 });
  const serving = { ...idle, role: "active" } as const;
  sleep.observePeer(asleep("b", "02:00:00:00:00:02"));
  sleep.observePeer(asleep("a", null));
  await sleep.evaluate(serving);
  expect(existsSync(marks)).toBe(false);
  sleep.observePeerDesired(aDesired({ agentId: "b", role: "active" }));
  await sleep.evaluate({ ...serving, nowMs: 1_000 });
  await sleep.evaluate({ ...serving, nowMs: 60_999 });
  expect(readFileSync(marks, "utf8")).toBe("b 02:00:00:00:00:02 10.0.0.7\n");
  expect(logged).toContain("woke a sleeping peer that is needed");
  expect(logged).not.toContain("can't be woken");
  await sleep.evaluate({ ...serving, nowMs: 61_000 });
  expect(readFileSync(marks, "utf8").trim().split("\n")).toHaveLength(2);
  sleep.observePeer(aPresence({ agentId: "b", role: "active" }));
  await sleep.evaluate({ ...serving, nowMs: 500_000 });
  expect(readFileSync(marks, "utf8").trim().split("\n")).toHaveLength(2);
});

test("does not wake itself: what the broker kept of its own sleep is over", async () => {
  const marks = join(directory, "marks");
  const { sleep } = begin({ wakeCommand: ["sh", "-c", `echo {agent} >> ${marks}`] });
  sleep.observePeer(asleep("a", "02:00:00:00:00:01"));
  sleep.observePeerDesired(aDesired({ agentId: "a", role: "active" }));
  await sleep.evaluate({ ...idle, role: "active" });
  expect(existsSync(marks)).toBe(false);
});

test.each([
  ["no address", ["wake", "{mac}"], null, /did not announce its power.sleep.mac/],
  ["no such command", ["no-such-wake", "{mac}"], "02:00:00:00:00:02", /can't be woken/],
  ["a command that fails", ["sh", "-c", "echo no such host; exit 3"], null, /no such host/],
])("%s: said, and nothing else happens", async (_name, wakeCommand, mac, message) => {
  const { sleep } = begin({ wakeCommand });
  sleep.observePeer(asleep("b", mac));
  sleep.observePeerDesired(aDesired({ agentId: "b", role: "active" }));
  await sleep.evaluate({ ...idle, role: "active" });
  expect(logged).toMatch(message);
});

const lying: readonly [string, Presence][] = [
  ["an option as its host", { ...asleep("b", null), url: "http://-oproxycommand=x:8080" }],
  ["a command as its host", { ...asleep("b", null), url: "http://$(touch)`x`;y:8080" }],
  ["no address as its host", { ...asleep("b", null), url: "$(touch x)" }],
  ["a command as its mac", asleep("b", "$(touch x)")],
  ["an option as its mac", asleep("b", "-oproxycommand=x")],
  ["lines as its mac", asleep("b", "a\nb")],
  ["an option as its id", asleep("-rf", "02:00:00:00:00:02")],
];
test.each(lying)("a peer that tells %s is not woken, which is said", async (_name, presence) => {
  const marks = join(directory, "marks");
  const { sleep } = begin({ wakeCommand: ["sh", "-c", `echo {agent} {host} {mac} >> ${marks}`] });
  sleep.observePeer(presence);
  sleep.observePeerDesired(aDesired({ agentId: presence.agentId, role: "active" }));
  await sleep.evaluate({ ...idle, role: "active" });
  expect(existsSync(marks)).toBe(false);
  expect(logged).toMatch(/a sleeping peer is needed, but can't be woken/);
  expect(logged).toMatch(/expected an? /);
});

test("a command that is not there, one that fails: awake at once, and said", async () => {
  const { signal } = new AbortController();
  await suspend(["no-such-suspend"], signal, log());
  await suspend(["sh", "-c", "echo not permitted >&2; exit 1"], signal, log());
  expect(logged).toMatch(/no-such-suspend/);
  expect(logged).toMatch(/not permitted/);
});

test("a command that answers at once is waited for; the wait ends when the agent stops", async () => {
  const stopping = new AbortController();
  let done = false;
  const suspended = suspend(["true"], stopping.signal, log()).then(() => {
    done = true;
  });
  await Bun.sleep(50);
  expect(done).toBe(false);
  stopping.abort();
  await suspended;
  expect(logged).toBe("");
});
