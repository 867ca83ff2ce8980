import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { rulesOf } from "./prometheus-files.ts";

const root = join(import.meta.dir, "..", "..");
const folder = join(root, "deploy", "prometheus");
const unitTests = ["rules.test.yml", "rules-of-days.test.yml"].map((file) => join(import.meta.dir, file));
const hasPromtool = Bun.which("promtool") !== null;
const rules = readdirSync(folder).filter((file) => file.endsWith(".rules.yml"));

function promtool(...args: readonly string[]): { readonly code: number; readonly said: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["promtool", ...args]);
  return { code: exitCode, said: `${stdout}${stderr}` };
}

describe.if(hasPromtool)("by promtool", () => {
  test("the configuration with its rules is valid", () => {
    const { code, said } = promtool("check", "config", join(folder, "prometheus.yml"));
    expect({ code, said }).toEqual({ code: 0, said: expect.stringContaining(`${rules.length} rule files found`) });
  });

  test("each alert fires when it should, and not else", () => {
    const { code, said } = promtool("test", "rules", ...unitTests);
    expect({ code, said }).toEqual({ code: 0, said: expect.stringContaining("SUCCESS") });
  });
});

const alerts = rulesOf().filter(({ alert }) => alert !== undefined);

test("each alert has a unit test in which it fires", () => {
  type UnitTest = { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] };
  const tests = unitTests.flatMap((file) => (parse(readFileSync(file, "utf8")) as { tests: UnitTest[] }).tests);
  const fired = tests.flatMap(({ alert_rule_test }) =>
    alert_rule_test.filter(({ exp_alerts }) => exp_alerts.length > 0),
  );
  const names = new Set(fired.map(({ alertname }) => alertname));
  expect([...names].sort()).toEqual(alerts.map(({ alert }) => alert as string).sort());
});

describe.each(alerts)("$alert", ({ alert, labels, annotations }) => {
  test("has a severity, a summary and a section of docs/alerts.md that names it", () => {
    expect(["info", "warning", "critical"]).toContain(labels?.["severity"] ?? "none");
    expect(annotations?.["summary"]).toMatch(/\S/);
    const [page = "", anchor = ""] = (annotations?.["runbook"] ?? "").split("#");
    const sections = readFileSync(join(root, page), "utf8").split(/^## /m).slice(1);
    const section = sections.find((text) => (text.split("\n")[0] ?? "").toLowerCase().replaceAll(" ", "-") === anchor);
    expect(section ?? "").toContain(`\`${alert}\``);
  });
});
