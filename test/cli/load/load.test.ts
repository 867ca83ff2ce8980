import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createLoadReport, formatLoadReport } from "#cli/load/load-report.ts";
import { createTextSource } from "#cli/load/load-texts.ts";
import { planLoad, scenarios } from "#cli/load/plan-load.ts";
import { runLoad } from "#cli/load/run-load.ts";

const quiet = { onProgress() {}, maxInFlight: 1_000 };
const never = new AbortController().signal;

describe("the plan", () => {
  test.each([...scenarios])("%s fills the duration", (scenario) => {
    const phases = planLoad(scenario, 10, 5_000, false);
    expect(phases.reduce((sum, { durationMs }) => sum + durationMs, 0)).toBeCloseTo(5_000);
  });
  test("levels", () => {
    expect(planLoad("stress", 10, 5_000, false).map(({ level }) => level)).toEqual([5, 10, 15, 20, 30]);
    expect(planLoad("stress", 1, 5_000, true).map(({ level }) => level)).toEqual([1, 1, 2, 2, 3]);
    expect(Math.max(...planLoad("burst", 10, 5_000, false).map(({ level }) => level))).toBe(40);
  });
});

test("no two texts are alike, and long ones are longer", () => {
  const next = createTextSource("mixed", 1);
  expect(new Set(Array.from({ length: 2_000 }, next)).size).toBe(2_000);
  expect(createTextSource("long", 1)().length).toBeGreaterThan(8 * createTextSource("short", 1)().length);
});

describe("the run", () => {
  test("open loop: waiting for a stalled server counts as latency", async () => {
    const send = async () => {
      await Bun.sleep(50);
      return "ok";
    };
    const phases = [{ durationMs: 100, level: 100 }];
    const run = await runLoad({ ...quiet, mode: "open", phases, send, stop: never, maxInFlight: 1 });
    // Ten requests due within 100 ms, one at a time: the last ends after 500 ms and was due at 90.
    expect(run.answered).toBe(10);
    expect(run.latencyMs.max).toBeGreaterThan(350);
    expect(run.latencyMs.p50).toBeGreaterThan(150);
  });
  test("closed loop: as many at once as there are clients", async () => {
    let now = 0;
    let most = 0;
    const send = async () => {
      now += 1;
      most = Math.max(most, now);
      await Bun.sleep(5);
      now -= 1;
      return "HTTP 429";
    };
    const run = await runLoad({ ...quiet, mode: "closed", phases: [{ durationMs: 50, level: 3 }], send, stop: never });
    expect(most).toBe(3);
    expect(run.errors["HTTP 429"]).toBeGreaterThan(2);
    expect(run.latencyMs).toEqual({ p50: null, p95: null, p99: null, max: null });
  });
  test("stopped: what was under way is unanswered", async () => {
    const stop = new AbortController();
    const send = (signal: AbortSignal) =>
      new Promise<string>((resolve) => {
        signal.addEventListener("abort", () => resolve("AbortError"));
        stop.abort();
      });
    const phases = [{ durationMs: 60_000, level: 10 }];
    const run = await runLoad({ ...quiet, mode: "open", phases, send, stop: stop.signal });
    expect(run).toMatchObject({ answered: 0, unanswered: 1, errors: {} });
  });
});

describe("the verdict", () => {
  const run = {
    answered: 90,
    errors: { "HTTP 429": 10 },
    unanswered: 0,
    latencyMs: { p50: 1, p95: 20, p99: 30, max: 31 },
    durationMs: 10_000,
  };
  const about = { asked: {}, machine: "m", interrupted: false };
  const no = { p95Ms: undefined, minRps: undefined, maxErrorRate: undefined };
  test.each([
    [no, 0],
    [{ p95Ms: 20, minRps: 9, maxErrorRate: 0.1 }, 0],
    [{ ...no, p95Ms: 19 }, 1],
    [{ ...no, minRps: 9.1 }, 1],
    [{ ...no, maxErrorRate: 0.09 }, 1],
    [{ p95Ms: 0, minRps: 10, maxErrorRate: 0 }, 3],
  ])("%j", (targets, missed) => {
    const report = createLoadReport(run, about, targets);
    expect(report.missed).toHaveLength(missed);
    expect(formatLoadReport(report)).toContain(missed === 0 ? "\npassed" : "\nMISSED");
  });
  test("without an answer nothing passes", () => {
    const latencyMs = { p50: null, p95: null, p99: null, max: null };
    const empty = { answered: 0, errors: {}, unanswered: 0, latencyMs, durationMs: 0 };
    expect(createLoadReport(empty, about, no)).toMatchObject({ missed: ["no request was answered"], errorRate: 0 });
  });
});

describe("the command", () => {
  let server: Bun.Server<undefined>;
  let asked = 0;
  beforeAll(() => {
    server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        asked += 1;
        if (request.headers.get("authorization") !== "Bearer k1") return new Response("no", { status: 401 });
        if (asked % 2 === 0) return Response.json({ error: {} }, { status: 429 });
        return Response.json({ data: [{ embedding: "AAAA" }] });
      },
    });
  });
  afterAll(() => server.stop(true));
  const load = (...args: string[]) =>
    Bun.spawn(["bun", join(import.meta.dir, "../../../main.ts"), "load", ...args], {
      env: { ...process.env, THORMESH_API_KEY: "k1" },
      stdout: "pipe",
      stderr: "pipe",
    });

  test("reports, and exits with 1 when a target is missed", async () => {
    const url = `http://127.0.0.1:${server.port}`;
    const child = load("--url", url, "--rate", "50", "--duration", "0.4", "--max-error-rate", "0.1", "--json");
    const report = JSON.parse(await new Response(child.stdout).text());
    expect(report).toMatchObject({ answered: 10, errors: { "HTTP 429": 10 }, errorRate: 0.5, interrupted: false });
    expect(report.missed).toHaveLength(1);
    expect(await child.exited).toBe(1);
  });
  test("Ctrl-C ends with a report", async () => {
    const before = asked;
    const child = load("--url", `http://127.0.0.1:${server.port}/`, "--clients", "1", "--duration", "600");
    while (asked < before + 4) await Bun.sleep(10);
    child.kill("SIGINT");
    expect(await new Response(child.stdout).text()).toContain("(interrupted)");
    expect(await child.exited).toBe(0);
  });
  test.each([
    [["--rate", "1", "--clients", "1"], "not both"],
    [["--texts", "huge"], "--texts"],
    [["--url", "nowhere"], "--url"],
    [["--rate", "0"], "--rate"],
    [["extra"], "unexpected"],
  ])("%j is bad usage", async (args, message) => {
    const child = load(...args);
    expect(await new Response(child.stderr).text()).toContain(message);
    expect(await child.exited).toBe(2);
  });
});
