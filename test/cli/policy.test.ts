import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { decideScaling } from "#controller/scaling/policy/decide-scaling.ts";
import { parseScalingPolicy } from "#controller/scaling/policy/parse-scaling-policy.ts";
import { previewPolicy } from "#controller/scaling/policy/preview-policy.ts";
import { ScalingObservation } from "#controller/scaling/policy/scaling-observation.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { programCommand } from "../e2e/program.ts";

const office = join(import.meta.dir, "../fixtures/policies/office.yaml");

async function policy(...args: readonly string[]) {
  const child = Bun.spawn([...programCommand, "policy", ...args], { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, code };
}

describe("thormesh policy", () => {
  test("validate says yes", async () => {
    expect(await policy("validate", office)).toMatchObject({ stdout: `${office} is a valid policy\n`, code: 0 });
  });

  test("preview shows a weekday, when what is allowed and where a rate ends", async () => {
    const { stdout, code } = await policy("preview", office, "--at", "2026-01-14T05:30:00Z", "--qps", "1000");
    expect(code).toBe(0);
    expect(
      stdout
        .split("\n")
        .slice(1, 6)
        .map((line) => line.trim().split(/ {2,}/)),
    ).toEqual([
      ["2026-01-14 05:30", "1", "12", "4", "-"],
      ["2026-01-14 08:00", "8", "12", "8", "work"],
      ["2026-01-14 16:00", "1", "12", "4", "-"],
      ["2026-01-14 21:00", "1", "2", "2", "night"],
      ["2026-01-15 05:00", "1", "12", "4", "-"],
    ]);
    expect(stdout).toContain("Not included: triggers (waiting, heat, orders, backlog) and prediction");
  });

  test.each([
    { args: ["preview", office, "--at", "tomorrow"], says: "--at" },
    { args: ["preview", office, "--at", "2026-02-30T00:00:00Z"], says: "--at: expected a day or a time with its zone" },
    { args: ["preview"], says: "expected one policy file" },
    { args: ["validate"], says: "expected a policy file" },
    { args: ["validate", "/nowhere.yaml"], says: "/nowhere.yaml can't be read" },
    { args: ["apply"], says: 'got "apply"' },
  ])("$args: 2", async ({ args, says }) => {
    const { stderr, code } = await policy(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(says);
  });

  test("the schema is a JSON Schema that the example fits", async () => {
    const { default: Ajv } = await import("ajv/dist/2020");
    const schema = JSON.parse((await policy("schema")).stdout);
    const check = new Ajv({ strict: false }).compile(schema);
    expect(check(Bun.YAML.parse(await Bun.file(office).text()))).toBe(true);
    expect(check({ minReplicas: "two" })).toBe(false);
  });
});

describe("an end on days without a start", () => {
  const schedule = { name: "work", timeZone: "Europe/Prague", start: "30 6 * * 1-5", end: "10 22 * * *", floor: 3 };
  const fromMs = Date.parse("2026-11-28T12:00:00Z");

  test.each([
    ["the minimum that the file names", { minReplicas: 1 }, 1],
    ["the default minimum", {}, 2],
  ])("the floor on Saturday is %s: in the preview, and in the decision", (_name, more, floor) => {
    const parsed = parseScalingPolicy({ ...more, schedules: [schedule] }, "x");
    const [first] = previewPolicy(parsed, { fromMs, untilMs: fromMs + 1, qps: null });
    expect(first).toMatchObject({ floor, ceiling: 20, schedules: [] });
    const seen = parseConfig(ScalingObservation, { nowMs: fromMs, currentReplicas: 5, liveQps: 0 }, "x");
    expect(decideScaling(parsed, seen)).toMatchObject({ floor, ceiling: 20 });
  });

  test("preview and validate say which bounds are defaults, and that the events do not take turns", async () => {
    const file = join(await mkdtemp(join(tmpdir(), "thormesh-test-")), "policy.yaml");
    await Bun.write(file, JSON.stringify({ maxReplicas: 6, schedules: [schedule] }));
    const [preview, validate] = await Promise.all([
      policy("preview", file, "--at", "2026-11-28T12:00:00Z", "--hours", "1"),
      policy("validate", file),
    ]);
    await rm(dirname(file), { recursive: true });
    expect(preview.stdout.split("\n")[1]?.trim().split(/ {2,}/)).toEqual(["2026-11-28 12:00", "2", "6", "-"]);
    expect(preview.stdout).toContain("Defaults in use: minReplicas 2.");
    expect(validate.stderr).toContain("Defaults in use: minReplicas 2.");
    expect(validate.stderr).toContain("warning: schedule work: it closes");
    expect(validate.code).toBe(0);
  });
});

test("a preview of a year ends", () => {
  const everyMinute = { name: "m", timeZone: "UTC", start: "*/2 * * * *", end: "1-59/2 * * * *", floor: 3 };
  const fromMs = Date.parse("2026-01-01T00:00:00Z");
  const stretches = previewPolicy(parseScalingPolicy({ schedules: [everyMinute] }, "x"), {
    fromMs,
    untilMs: fromMs + 366 * 86_400_000,
    qps: null,
  });
  expect(stretches.length).toBe(5000);
});
