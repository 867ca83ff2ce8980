import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { decisionToText, routesToText, whyCommand } from "#cli/why.ts";
import { UsageError } from "#platform/errors.ts";

const decision = {
  id: 7,
  atMs: Date.UTC(2026, 4, 4, 12, 30),
  lastAtMs: Date.UTC(2026, 4, 4, 12, 30),
  repeats: 1,
  kind: "scale-out",
  rule: "peak",
  reason: "traffic is 100 texts/s, and up to 812 are expected: that takes 4 agents; 2 serve -> switch on c, d and e",
  agents: ["c", "d", "e"],
  inputs: {
    proposals: [
      { rule: "present rate", agents: 1 },
      { rule: "forecast", agents: null },
    ],
    limitedBy: [{ by: "maximum", from: 5, to: 4 }],
  },
  outcome: {
    activated: ["c", "d"],
    stoodBy: [],
    modes: [{ agentId: "c", mode: "70W" }],
    skipped: [{ agentId: "e", reason: "went offline" }],
    done: [
      { agentId: "c", afterS: 4 },
      { agentId: "a", afterS: 200 },
    ],
    late: [
      { agentId: "d", reason: "not reported 121 s after it was told; ordered again, while others take its place" },
      { agentId: "a", reason: "not reported 121 s after it was told; told again" },
    ],
  },
} as unknown as Parameters<typeof decisionToText>[0];

test("a decision reads as a paragraph: when, what, why, what the rules asked for, what came of it", () => {
  expect(decisionToText(decision).split("\n")).toEqual([
    "2026-05-04 12:30:00  scale-out (peak)  #7",
    "  traffic is 100 texts/s, and up to 812 are expected: that takes 4 agents; 2 serve -> switch on c, d and e",
    "  agents asked for: present rate 1, forecast unknown",
    "  limited by: maximum (5 to 4)",
    "  told to serve: c, d",
    "  power modes: c 70W",
    "  not done by e: went offline",
    "  reported as done: c (after 4 s), a (after 200 s)",
    "  did not happen in time: d: not reported 121 s after it was told; ordered again, while others take its place",
    "  late: a: not reported 121 s after it was told; told again",
  ]);
  const repeated = { ...decision, repeats: 4, lastAtMs: decision.atMs + 180_000 };
  expect(decisionToText(repeated)).toContain("12:30:00 to 2026-05-04 12:33:00 (4 times)");
  const ranged = { ...repeated, inputs: { range: { peakQps: [12, 40.25] } } };
  expect(decisionToText(ranged)).toContain("since the first the peak was 12.0 to 40.3 texts/s");
  for (const range of [null, 5, [], { peakQps: ["a", null] }])
    expect(decisionToText({ ...repeated, inputs: { range } })).not.toContain("since the first");
});

test("of a large fleet not every name is told, and a reason once", () => {
  const agents = Array.from({ length: 40 }, (_, index) => `thor-${index}`);
  const skipped = agents.map((agentId) => ({ agentId, reason: "the budget is spent" }));
  const text = decisionToText({ ...decision, outcome: { activated: agents, stoodBy: [], skipped } });
  expect(text).toContain("told to serve: thor-0, thor-1,");
  expect(text.split("\n").filter((line) => line.includes("thor-11 and 28 more")).length).toBe(2);
  expect(text.split("\n").length).toBe(6);
});

describe("why", () => {
  const asked: string[] = [];
  let server: Bun.Server<undefined>;
  beforeEach(() => {
    asked.length = 0;
    server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch(request) {
        const { pathname, search, searchParams } = new URL(request.url);
        asked.push(pathname.replace("/api/v1/decisions", "") + search);
        if (pathname.endsWith("/7")) return Response.json(decision);
        const kind = searchParams.has("changes") ? "scale-out" : "hold";
        return Response.json({ decisions: [{ ...decision, kind }] });
      },
    });
  });
  afterEach(() => server.stop(true));

  test.each([
    [{}, "?limit=10"],
    [{ agent: "thor-3", limit: "2" }, "?agent=thor-3&limit=2"],
    [{ changes: true }, "?changes=true&limit=10"],
    [{ at: "2026-05-04T12:30:00Z", limit: "2" }, `?untilMs=${decision.atMs + 1000}&limit=2`],
  ])("%p asks the controller for %s", async (values, search) => {
    expect(await whyCommand.run({ ...values, url: server.url.href }, [])).toBe(0);
    expect(asked[0]).toBe(search);
  });

  test("of a time at which nothing changed, the change before it is told as well", async () => {
    expect(await whyCommand.run({ at: "2026-05-04T12:30:00Z", url: server.url.href }, [])).toBe(0);
    const until = `untilMs=${decision.atMs + 1000}`;
    expect(asked).toEqual([`?${until}&limit=1`, `?${until}&changes=true&limit=1`]);
  });

  test("one decision by its number", async () => {
    expect(await whyCommand.run({ url: server.url.href }, ["7"])).toBe(0);
    expect(asked).toEqual(["/7"]);
  });

  test.each<[object, string[]]>([
    [{ at: "yesterday" }, []],
    [{ at: "2026-02-30T00:00:00Z" }, []],
    [{ at: "2026-02-03T00:00:00" }, []],
    [{ limit: "0" }, []],
    [{ limit: "many" }, []],
    [{}, ["seven"]],
    [{}, ["7", "8"]],
  ])("%p %p is a usage error", (values, positionals) => {
    expect(whyCommand.run({ ...values, url: server.url.href }, positionals)).rejects.toThrow(UsageError);
  });
});

test("an agent's routes: when, for what, who answered and why; nothing in them can steer a terminal", () => {
  const route = {
    ...{ atMs: Date.UTC(2026, 4, 4, 12, 30), model: "mini\u001b[31m", backend: "thor-2", kind: "peer", rule: "only" },
    ...{ usd: 1e-6, evenUsd: 2e-6, attempts: 2, outcome: "answered", reason: "thor-2: the only one available" },
  };
  const status = { forward: "when-needed", backends: [], routes: [route, route, route] };
  const text = routesToText(status, 2);
  expect(text).not.toContain("\u001b");
  expect(text.match(/^2026-05-04 12:30:00 {2}mini.*\(2 attempts\)\n {2}thor-2: the only one/gm)).toHaveLength(2);
  expect(routesToText({ ...status, routes: [] }, 2)).toContain("no recent request");
});
