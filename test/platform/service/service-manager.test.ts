import { afterAll, describe, expect, jest, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "#platform/log.ts";
import { unixAddress } from "#platform/service/datagram-socket.ts";
import { longestRunMs, noteRun } from "#platform/service/runs-in-progress.ts";
import { openServiceManager, watchdogPeriodMs } from "#platform/service/service-manager.ts";
import { receiveDatagrams } from "../../fakes/datagram-receiver.ts";

const directory = mkdtempSync(join(tmpdir(), "thormesh-notify-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const silent = createLogger("test", "silent");

describe.each([join(directory, "notify"), `@thormesh-test-${process.pid}`])("a service manager at %s", (path) => {
  test("is told when the service is up, how it is, and that it stops", () => {
    const receiver = receiveDatagrams(path);
    const manager = openServiceManager({ NOTIFY_SOCKET: path }, silent);
    manager.ready("serving");
    manager.status("two\nlines");
    manager.stopping();
    expect(receiver.received()).toEqual(["READY=1\nSTATUS=serving", "STATUS=two lines", "STOPPING=1"]);
    receiver.close();
  });
});

test("signs of life come while the loops turn, and end when one is stuck", () => {
  jest.useFakeTimers();
  try {
    const path = join(directory, "watchdog");
    const receiver = receiveDatagrams(path);
    let longestMs = 0;
    const manager = openServiceManager({ NOTIFY_SOCKET: path, WATCHDOG_USEC: "2000000" }, silent, () => longestMs);
    jest.advanceTimersByTime(5_000);
    expect(receiver.received()).toEqual([]);
    manager.ready("serving");
    jest.advanceTimersByTime(3_500);
    const signs = () => receiver.received().filter((text) => text === "WATCHDOG=1").length;
    expect(signs()).toBe(4);
    longestMs = 700_000;
    jest.advanceTimersByTime(10_000);
    expect(signs()).toBe(4);
    longestMs = 0;
    jest.advanceTimersByTime(1_000);
    expect(signs()).toBe(5);
    receiver.close();
  } finally {
    jest.useRealTimers();
  }
});

test("without a service manager, or with one that does not listen, nothing happens", () => {
  for (const environment of [{}, { NOTIFY_SOCKET: "" }, { NOTIFY_SOCKET: join(directory, "nobody") }]) {
    const manager = openServiceManager(environment, silent);
    manager.ready("serving");
    manager.stopping();
  }
  expect(() => openServiceManager({ NOTIFY_SOCKET: "x".repeat(200) }, silent)).not.toThrow();
});

test.each([
  [{ WATCHDOG_USEC: "60000000" }, 30_000],
  [{ WATCHDOG_USEC: "60000000", WATCHDOG_PID: "7" }, 30_000],
  [{ WATCHDOG_USEC: "60000000", WATCHDOG_PID: "8" }, null],
  [{ WATCHDOG_USEC: "0" }, null],
  [{ WATCHDOG_USEC: "soon" }, null],
  [{}, null],
])("%j asks for a sign every %p ms", (environment, periodMs) => {
  expect(watchdogPeriodMs(environment, 7)).toBe(periodMs);
});

test("the address of a socket is a path with its end, or an abstract name without one", () => {
  expect([...unixAddress("/a")]).toEqual([1, 0, 47, 97, 0]);
  expect([...unixAddress("@a")]).toEqual([1, 0, 0, 97]);
  expect(() => unixAddress("x".repeat(108))).toThrow("1 to 107 bytes, got 108");
});

test("the longest run in progress counts, and none that has ended", () => {
  const before = longestRunMs();
  const end = noteRun();
  Bun.sleepSync(5);
  expect(longestRunMs()).toBeGreaterThanOrEqual(Math.max(before, 4));
  end();
});
