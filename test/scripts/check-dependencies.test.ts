import { expect, test } from "bun:test";
import { join } from "node:path";
import { judgeAdvisories } from "../../scripts/check-dependencies.ts";

const url = "https://github.com/advisories/GHSA-1";
const fault = { url, title: "reads beyond its input", severity: "high", vulnerable_versions: "<1.2.0" };
const entry = { package: "mqtt", url, reason: "we never call it", until: "2026-12-31" };

test.each([
  ["none", {}, [], []],
  ["a high one", { mqtt: [fault] }, [], [/^mqtt <1.2.0: high: reads beyond its input .*GHSA-1/]],
  ["a critical one", { mqtt: [{ ...fault, severity: "critical" }] }, [], [/critical/]],
  ["a moderate one", { mqtt: [{ ...fault, severity: "moderate" }] }, [], []],
  ["one that is excused", { mqtt: [fault] }, [entry], []],
  ["one that was excused until yesterday", { mqtt: [fault] }, [{ ...entry, until: "2026-11-28" }], [/^mqtt/]],
  ["one that is excused without a reason", { mqtt: [fault] }, [{ ...entry, reason: "" }], [/^mqtt/]],
  ["another one of the same package", { mqtt: [fault, { ...fault, url: "x" }] }, [entry], [/\(x\)$/]],
  ["an excuse of nothing", {}, [entry], [/no fault https:.* any more/]],
])("%s", (_name, advisories, allowed, expected) => {
  const problems = judgeAdvisories(advisories, allowed, "2026-11-29");
  expect(problems).toHaveLength(expected.length);
  for (const [index, pattern] of expected.entries()) expect(problems[index]).toMatch(pattern);
});

test.each([
  ["answers", 200, { mqtt: [fault] }, 1, "mqtt <1.2.0: high"],
  ["knows of nothing", 200, {}, 0, ""],
  ["has no such list", 405, {}, 3, "not checked"],
])("a registry that %s", async (_name, status, answer, code, says) => {
  const registry = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ method }) =>
      method === "POST" ? Response.json(answer, { status }) : new Response(null, { status: 404 }),
  });
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../../scripts/check-dependencies.ts")], {
    env: { ...process.env, BUN_CONFIG_REGISTRY: registry.url.href, npm_config_registry: registry.url.href },
    stdout: "pipe",
  });
  const output = await child.stdout.text();
  expect({ code: await child.exited, says: output.includes(says) ? says : output }).toEqual({ code, says });
  await registry.stop(true);
});
