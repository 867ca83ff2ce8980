import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { backtestCommand } from "#cli/backtest.ts";
import { UsageError } from "#platform/errors.ts";
import { ratesByMinute } from "#tools/reports/backtest/read-traffic.ts";
import { programCommand, temporaryDirectory } from "../e2e/program.ts";

const fleet = join(import.meta.dir, "../fixtures/reference-fleet.yaml");
const traceText = (minutes: number) =>
  [
    "timestamp,value",
    ...Array.from(
      { length: minutes },
      (_, minute) => `${new Date(minute * 60_000).toISOString()},${600 + (minute % 60)}`,
    ),
  ].join("\n");

async function inDirectory(files: Readonly<Record<string, string>>, use: (path: string) => Promise<void>) {
  const { path, remove } = temporaryDirectory();
  try {
    for (const [name, text] of Object.entries(files)) await Bun.write(join(path, name), text);
    await use(path);
  } finally {
    remove();
  }
}

test("a table, figures as JSON, and a page", async () => {
  const files = { "a.csv": traceText(90), "mine.yaml": "{policy: static-all, name: mine, targetUtilization: 0.5}" };
  await inDirectory(files, async (path) => {
    const run = async (...args: string[]) => {
      const child = Bun.spawn([...programCommand, "backtest", "--trace", "a.csv", "--fleet", fleet, ...args], {
        cwd: path,
        stdout: "pipe",
        stderr: "pipe",
      });
      const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      return { stdout, stderr, code };
    };
    const table = await run("--html", "page.html", "--policy", "static-all,hpa,fleet-plan,mine.yaml");
    expect(table).toMatchObject({ code: 0, stderr: "" });
    expect(table.stdout).toMatch(/policy +cost US\$/);
    expect(table.stdout).toMatch(/\nmine +/);
    const page = await Bun.file(join(path, "page.html")).text();
    expect(page.match(/<svg/g)).toHaveLength(8);
    expect(page).not.toContain("http");
    const json = await run("--json", "--policy", "hpa,oracle", "--days", "0.05");
    const [report] = JSON.parse(json.stdout);
    expect(report).toMatchObject({ trace: "a.csv", minutes: 72, policies: [{ policy: "hpa" }, { policy: "oracle" }] });
    expect(Object.keys(report.policies[0])).toEqual([
      "policy",
      "tunedTarget",
      "costUsd",
      "lostUsd",
      "energyKwh",
      "sloMinutes",
      "sloMinutesPercent",
      "lostRequests",
      "activations",
      "modeSwitches",
      "reversals",
      "leadTimeMinutes",
      "utilization",
    ]);
  });
});

describe("bad usage", () => {
  test.each([
    ["no trace", { fleet }, "--trace is required"],
    ["no fleet", { trace: "a.csv" }, "--fleet is required"],
    ["a trace that is not there", { trace: "none.csv", fleet }, "--trace none.csv can't be read"],
    ["a fleet that is not there", { trace: "a.csv", fleet: "none.yaml" }, "none.yaml can't be read"],
    ["an unknown policy", { trace: "a.csv", fleet, policy: "hpa,luck" }, 'got "luck"'],
    ["a policy file that is not there", { trace: "a.csv", fleet, policy: "p.yaml" }, "p.yaml can't be read"],
    ["a peak of nothing", { trace: "a.csv", fleet, "peak-qps": "0" }, "--peak-qps"],
    ["days that are no number", { trace: "a.csv", fleet, days: "all" }, "--days"],
  ])("%s", async (_name, values, message) => {
    const failure = await backtestCommand.run(values, []).catch((error) => error);
    expect(failure).toBeInstanceOf(UsageError);
    expect(failure.message).toContain(message);
  });

  test("a trace without traffic, a fleet with mistakes, a policy that is none", async () => {
    const files = {
      "a.csv": traceText(3).replaceAll(/,6\d\d/g, ",0"),
      "f.yaml": "{devices: [], speed: 1}",
      "p.yaml": "{policy: luck}",
    };
    await inDirectory(files, async (path) => {
      const at = (name: string) => join(path, name);
      const run = (values: Record<string, string>) => backtestCommand.run(values, []).catch((error) => error.message);
      expect(await run({ trace: at("a.csv"), fleet })).toContain("expected some traffic");
      const mistakes = await run({ trace: at("a.csv"), fleet: at("f.yaml") });
      expect(mistakes).toContain("speed: unknown field");
      expect(mistakes).toContain("devices: expected array of");
      expect(await run({ trace: at("a.csv"), fleet, policy: at("p.yaml") })).toContain("policy: expected one of");
    });
  });
});

test.each([
  ["minutes as they are", 60_000, [60, 120], [1, 2]],
  ["seconds are averaged", 30_000, [30, 90, 30, 30], [2, 1]],
  ["five minutes are repeated", 120_000, [120, 240], [1, 1, 2, 2]],
  ["steps that do not fit are shared out", 90_000, [90, 180], [1, 1.5, 2]],
  ["gaps go on with what was", 60_000, [60, null, 120], [1, 1, 2]],
  ["less than a minute", 1000, [5, 5], [5]],
])("rates by minute: %s", (_name, stepMs, counts, expected) => {
  expect(ratesByMinute({ stepMs, counts })).toEqual(expected);
});
