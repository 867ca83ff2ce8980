import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { planLoad, scenarios } from "#tools/load/plan-load.ts";
import { runLoad } from "#tools/load/run-load.ts";

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
    expect(run.latestSendMs).toBeGreaterThan(300);
    expect(run.phases).toMatchObject([{ level: 100, answered: 10, latencyMs: run.latencyMs }]);
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
    expect(run.latestSendMs).toBeNull();
    expect(run.rejected).toBeGreaterThan(2);
    expect(run).toMatchObject({ failed: 0, errors: { "HTTP 429": run.rejected } });
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
    expect(run).toMatchObject({ answered: 0, unanswered: 1, errors: {}, failed: 0 });
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
    // Half of the answers are 429s.
    const url = `http://127.0.0.1:${server.port}`;
    const child = load(
      "--url",
      url,
      "--rate",
      "50",
      "--duration",
      "0.4",
      "--target",
      "errors=10%,failures=0",
      "--json",
    );
    const report = JSON.parse(await new Response(child.stdout).text());
    expect(report).toMatchObject({ answered: 10, rejected: 10, failed: 0, errorRate: 0.5, interrupted: false });
    expect(report.missed).toHaveLength(1);
    expect(report.clientCpuS).toBeGreaterThan(0);
    expect(await child.exited).toBe(1);
  });
  test.each([[[]], [["--target", "p95=60s"]]])(
    "a run of errors does not pass without a limit of errors: %j",
    async (targets) => {
      const child = load("--url", `http://127.0.0.1:${server.port}`, "--rate", "50", "--duration", "0.4", ...targets);
      expect(await new Response(child.stdout).text()).toEndWith("MISSED: 50.00 % errors are over 1 %\n");
      expect(await child.exited).toBe(1);
    },
  );
  test("several servers, processes watched, as a table", async () => {
    const url = `http://127.0.0.1:${server.port}`;
    const watched = ["--watch-pid", String(process.pid)];
    // Half of the answers are 429s.
    const judged = ["--target", "errors=60%", ...watched];
    const child = load("--url", `${url},http://127.0.0.1:1`, "--scenario", "stress", "--duration", "1", ...judged);
    const text = await new Response(child.stdout).text();
    expect(await child.exited).toBe(0);
    expect(text).toMatch(/retries +\d+ ECONNREFUSED/);
    expect(text).toMatch(/server CPU +\d/);
    expect(text).toMatch(/phase +requests\/s/);
    expect(text).toEndWith("passed\n");
  });
  test("stages, each judged, as a table of 80 columns", async () => {
    const url = `http://127.0.0.1:${server.port}`;
    const stages = "calm 20/s 0.5s, 20..60/s 0.5s";
    const child = load("--url", url, "--stages", stages, "--target", "errors=10%", "--arrivals", "poisson");
    const text = await new Response(child.stdout).text();
    expect(text).toMatch(/^stage +requests\/s .*\ncalm +20 +0\.5 .*\n2 +20\.\.60 +0\.5 /m);
    expect(text).toMatch(/MISSED: stage calm: [\d.]+ % errors are over 10 %; stage 2: /);
    expect(text.split("\n").filter((line) => line.length > 80 && !line.startsWith("MISSED"))).toEqual([]);
    expect(await child.exited).toBe(1);
  });
  test("the highest rate: a server that always refuses half has none, one that answers all has more than was asked", async () => {
    const url = `http://127.0.0.1:${server.port}`;
    const some = ["--url", url, "--find-limit", "--max-rate", "40", "--rate", "40", "--json"];
    const none = load(...some, "--target", "errors=10%", "--duration", "30");
    const refused = JSON.parse(await new Response(none.stdout).text());
    expect(await none.exited).toBe(1);
    expect(refused.limit).toBeNull();
    expect(refused.steps[0].verdict.targets.find((each: { target: string }) => each.target === "errors").kept).toBe(
      false,
    );
    expect(refused.steps[0].errors["HTTP 429"]).toBeGreaterThan(10);

    const all = load(...some, "--target", "errors=60%,p95=60s", "--duration", "120");
    const kept = JSON.parse(await new Response(all.stdout).text());
    expect(kept).toMatchObject({ end: "beyond", limit: { rate: 40 }, missed: [] });
    expect(await all.exited).toBe(0);
  });
  test("Ctrl-C ends with a report", async () => {
    const before = asked;
    const level = ["--clients", "1", "--duration", "600", "--target", "failures=0"];
    const child = load("--url", `http://127.0.0.1:${server.port}/`, ...level);
    while (asked < before + 4) await Bun.sleep(10);
    child.kill("SIGINT");
    expect(await new Response(child.stdout).text()).toContain("(interrupted)");
    expect(await child.exited).toBe(0);
  });
  test.each([
    [["--rate", "1", "--clients", "1"], "not both"],
    [["--stages", "1/s 1s", "--rate", "1"], "expected --stages or --rate, not both"],
    [["--find-limit", "--scenario", "burst"], "expected --find-limit or --scenario, not both"],
    [["--max-rate", "50"], "--max-rate: only valid with --find-limit"],
    [["--arrivals", "even"], "--arrivals: expected one of constant, poisson"],
    [["--clients", "1", "--arrivals", "poisson"], "not both"],
    [["--stages", "10/s"], "--stages: expected stages like"],
    [["--texts", "huge"], "--texts"],
    [["--url", "nowhere"], "--url"],
    [["--rate", "0"], "--rate"],
    [["extra"], "expected options only"],
    [["--url", "http://127.0.0.1:1,ftp://x"], "--url"],
    [["--target", "p95"], "--target"],
    [["--target", "memory=flat"], "--watch-pid"],
    [["--watch-pid", "me"], "--watch-pid"],
    [["--watch-pid", "2147483647"], "there is no process 2147483647"],
    [["--repeat-share", "2"], "--repeat-share"],
    [["--protocol", "smtp"], "--protocol"],
  ])("%j is bad usage", async (args, message) => {
    const child = load(...args);
    expect(await new Response(child.stderr).text()).toContain(message);
    expect(await child.exited).toBe(2);
  });
});
