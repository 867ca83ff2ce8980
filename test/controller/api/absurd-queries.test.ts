import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Controller } from "#controller/controller.ts";
import { openRecords } from "#controller/open-records.ts";
import { createLogger } from "#platform/log.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import { aMinute, aPower } from "../../fakes/builders.ts";
import { type QueryParameter, wronglyRequired } from "../../fakes/required-parameters.ts";
import { quietController } from "../quiet-controller.ts";

const stateDir = mkdtempSync(join(tmpdir(), "thormesh-absurd-"));
let controller: Controller;

beforeAll(async () => {
  const { store } = openRecords(stateDir, Date.now(), createLogger("test", "silent"));
  const minuteStartMs = Math.floor((Date.now() - 2 * hourMs) / minuteMs) * minuteMs;
  await store.insertMinute(aMinute({ minuteStartMs, power: aPower({ energyJ: 60_000 }) }));
  await store.close();
  controller = quietController(stateDir);
  await controller.start();
});
afterAll(async () => {
  await controller.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

type Parameter = QueryParameter;

/** Values whose work would never end, or fill the memory, if it were done. */
const any = [
  "",
  "0",
  "-1",
  "NaN",
  "1e308",
  "9".repeat(40),
  "\u202e<script>\0",
  "%FF",
  "x".repeat(4000),
  '\\"'.repeat(200),
];
const windows = [
  "0,8640000000000000",
  "100000000000,8640000000000000",
  "0,99999999999",
  "999999w",
  "2900w",
  "1m offset 400000h",
];
const absurd: Readonly<Record<string, readonly string[]>> = {
  window: [...windows, "1970-01-01T00:00:00Z,9999-12-31T23:59:59Z", "9999999999999999,9999999999999999"],
  step: ["1m", "60", "99999w"],
  hours: ["336", "48", "-5"],
  untilMs: ["999999999999999"],
  sinceMs: ["999999999999999"],
  month: ["0000-01", "9999-12", "1970-01"],
  limit: ["1000", "99999999999"],
  offset: ["99999"],
  top: ["100"],
  format: ["csv", "html"],
  filter: ["-".repeat(256), `tag:"${"\\".repeat(200)}`, "tag~a ".repeat(8), 'tenant:"a"+'.repeat(30)],
};
/** Values that a required parameter takes while another one is absurd. */
const usual: Readonly<Record<string, string>> = {
  window: "1h",
  field: "tag",
  of: "tenant",
  store: "audit",
  baseline: "none",
};

/** Queries of a route: each parameter with each value, twice, and each window with each step and group. */
function queriesOf(parameters: readonly Parameter[]): string[] {
  const names = parameters.filter((each) => each.in === "query").map(({ name }) => name);
  const required = parameters.filter((each) => each.in === "query" && each.required === true);
  const queryOf = (given: Readonly<Record<string, string>>) => {
    const rest = required
      .filter(({ name }) => given[name] === undefined)
      .map(({ name, schema }) => [name, usual[name] ?? schema?.enum?.[0] ?? "1"]);
    return new URLSearchParams([...rest, ...Object.entries(given)] as [string, string][]).toString();
  };
  const one = names.flatMap((name) =>
    [...any, ...(absurd[name] ?? [])].flatMap((value) => [queryOf({ [name]: value })]),
  );
  const twice = names.map((name) => `${queryOf({ [name]: "1" })}&${name}=2&${name}[]=3`);
  const grouped = names.flatMap((name) => {
    const value = { step: "1w", by: "agent", of: "tenant", aggregate: "agent", all: "true", format: "csv" }[name];
    return value === undefined || !names.includes("window")
      ? []
      : (absurd["window"] as string[]).map((window) => queryOf({ window, [name]: value }));
  });
  return ["", ...one, ...twice, ...grouped];
}

// A query that is worked on without end ends this test.
test("no query of any route is worked on without end or fails the server, and no page may show an answer", async () => {
  const document = (await (await fetch(`${controller.url}/openapi/json`)).json()) as {
    paths: Record<string, { get?: { parameters?: readonly Parameter[] } }>;
  };
  const wrong: string[] = [];
  let asked = 0;
  for (const [path, { get }] of Object.entries(document.paths)) {
    // The live stream has no end by design.
    if (get === undefined || path === "/api/v1/fleet/stream") continue;
    for (const query of queriesOf(get.parameters ?? [])) {
      const url = `${path.replaceAll(/\{[^}]+\}/g, "thor-1")}?${query}`;
      const answer = await fetch(controller.url + url);
      const text = await answer.text();
      asked += 1;
      if (answer.status >= 500) wrong.push(`${answer.status} ${url}: ${text.slice(0, 200)}`);
      if (answer.status === 400 && !/^\{"error":"[^"]+: /.test(text)) wrong.push(`${url} names no field: ${text}`);
      const framed = answer.headers.get("content-security-policy")?.includes("frame-ancestors 'none'") !== true;
      if (framed) wrong.push(`${url} may be shown in a page`);
    }
  }
  expect(wrong).toEqual([]);
  expect(asked).toBeGreaterThan(500);
});

test("the document calls those parameters required that a route refuses to be without, and no others", async () => {
  expect(await wronglyRequired(controller.url, { skip: ["/api/v1/fleet/stream"], usual })).toEqual([]);
});
