import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { describeDecision, whyCommand } from "#cli/why.ts";
import { UsageError } from "#platform/errors.ts";

const decision = {
  id: 7,
  atMs: Date.UTC(2026, 4, 4, 12, 30),
  lastAtMs: Date.UTC(2026, 4, 4, 12, 30),
  repeats: 1,
  kind: "scale-out",
  rule: "peak",
  reason: "peak 812 qps in 15 min needs 3 agents at 80 % of 350; 2 active -> activate thor-3",
  agents: ["thor-3"],
  inputs: {},
  outcome: { activated: ["thor-3"], stoodBy: [], skipped: [{ agentId: "thor-4", reason: "went offline" }] },
} as unknown as Parameters<typeof describeDecision>[0];

test("a decision reads as a paragraph: when, what, why, what came of it", () => {
  expect(describeDecision(decision).split("\n")).toEqual([
    "2026-05-04 12:30:00  scale-out (peak)",
    "  peak 812 qps in 15 min needs 3 agents at 80 % of 350; 2 active -> activate thor-3",
    "  activated: thor-3",
    "  not done for thor-4: went offline",
  ]);
  const repeated = { ...decision, repeats: 4, lastAtMs: decision.atMs + 180_000 };
  expect(describeDecision(repeated)).toContain("12:30:00 to 2026-05-04 12:33:00 (4 times)");
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
        asked.push(new URL(request.url).search);
        return Response.json({ decisions: [] });
      },
    });
  });
  afterEach(() => server.stop(true));

  test.each([
    [{}, "?limit=10"],
    [{ agent: "thor-3", limit: "2" }, "?agent=thor-3&limit=2"],
    [{ at: "2026-05-04T12:30:00Z" }, `?untilMs=${decision.atMs}&limit=1`],
  ])("%p asks the controller for %s", async (values, search) => {
    expect(await whyCommand.run({ ...values, url: server.url.href }, [])).toBe(0);
    expect(asked).toEqual([search]);
  });

  test.each([{ at: "yesterday" }, { limit: "0" }, { limit: "many" }])("%p is a usage error", (values) => {
    expect(whyCommand.run({ ...values, url: server.url.href }, [])).rejects.toThrow(UsageError);
  });
});
