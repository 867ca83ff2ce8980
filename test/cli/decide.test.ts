import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { decisions } from "#cli/decide/decisions.ts";
import { UsageError } from "#platform/errors.ts";
import { programCommand, temporaryDirectory } from "../e2e/program.ts";
import hpaCases from "../fixtures/hpa-cases.json";

const first = () => structuredClone(hpaCases.cases[0]) as { input: Record<string, unknown>; expect: object };

/** Runs the program with a text at its standard input. */
async function decide(args: readonly string[], input = "") {
  const child = Bun.spawn([...programCommand, "decide", ...args], {
    stdin: new Blob([input]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, code };
}

function mistakesIn(name: string, input: unknown): string[] {
  try {
    decisions[name]?.answer(input, "x.json");
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message.split("\n  ");
  }
  return [];
}

describe("the program", () => {
  test("answers every case of an array from standard input, in order", async () => {
    const { stdout, code } = await decide(
      ["replicas", "--input", "-"],
      JSON.stringify(hpaCases.cases.map(({ input }) => input)),
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject(hpaCases.cases.map((each) => each.expect));
  });

  test("answers one input of a file with one object", async () => {
    const { path, remove } = temporaryDirectory();
    try {
      const file = join(path, "input.json");
      await Bun.write(file, JSON.stringify(first().input));
      const { stdout, code } = await decide(["replicas", "--input", file]);
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ ...first().expect, limitedBy: [], proposed: 5 });
    } finally {
      remove();
    }
  });

  test("bad input: 2, and all that is wrong by name, nothing on standard output", async () => {
    const { input } = first();
    const policy = { ...(input["policy"] as object), maxReplicas: "six" };
    const { stdout, stderr, code } = await decide(["replicas", "--input", "-"], JSON.stringify({ policy, speed: 1 }));
    expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
    expect(stderr).toContain('policy.maxReplicas: expected integer, got "six"');
    expect(stderr).toContain("currentReplicas: expected integer, got nothing");
    expect(stderr).toContain("speed: unknown field");
  });

  test.each([
    ["no JSON", ["replicas", "--input", "-"], "{", "standard input is not valid YAML:\n  line 1: "],
    ["nothing", ["replicas", "--input", "-"], "", "standard input is empty"],
    ["no file", ["replicas", "--input", "/nowhere/input.json"], "", "/nowhere/input.json can't be read"],
    ["no --input", ["replicas"], "", "--input is required"],
    ["no name", [], "", "expected one of replicas"],
    ["an unknown name", ["toString"], "", 'got "toString"'],
    ["two names", ["replicas", "power-mode"], "", 'got "replicas power-mode"'],
  ])("%s is bad usage", async (_name, args, input, message) => {
    const { stderr, code } = await decide(args, input);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });

  test("--list names what there is, --schema says what each reads", async () => {
    const { stdout, code } = await decide(["--list"]);
    expect(code).toBe(0);
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.split(" ")[0] as string),
    ).toEqual(Object.keys(decisions));
    const schema = await decide(["replicas", "--schema"]);
    expect(JSON.parse(schema.stdout)).toMatchObject({ type: "object", required: expect.arrayContaining(["policy"]) });
  });
});

describe("inputs", () => {
  test("a mistake in a list has its place", () => {
    const { input } = first();
    const bad = structuredClone(input) as { policy: { minReplicas: number } };
    bad.policy.minReplicas = 7;
    expect(mistakesIn("replicas", [input, bad])).toEqual([
      "x.json is not valid:",
      "1.policy.minReplicas: expected at most maxReplicas (6), got 7",
    ]);
    expect(mistakesIn("replicas", [input, 5])[1]).toContain("1: expected object, got 5");
    expect(mistakesIn("replicas", [null])[1]).toContain("0: expected object, got null");
  });

  test("an empty list has an empty answer", () => {
    expect(decisions["replicas"]?.answer([], "x.json")).toEqual([]);
  });

  test.each([
    ["replicas.0.phase", { replicas: [{ id: "a", phase: "gone" }] }, 'expected one of "running"'],
    [
      "replicas.0.startedAgoS",
      { replicas: [{ id: "a", phase: "running", startedAgoS: "x" }] },
      'expected number, got "x"',
    ],
    ["samples.0.value", { samples: [{ metric: "cpu", value: "NaN" }] }, "expected number or null"],
    ["currentReplicas", { currentReplicas: 1.5 }, "expected integer"],
    ["currentReplicas", { currentReplicas: -1 }, "expected integer from 0 to 1000000, got -1"],
  ])("%s in %j", (path, change, expected) => {
    const [, line, ...more] = mistakesIn("replicas", { ...first().input, ...change });
    expect(line).toStartWith(`${path}: `);
    expect(line).toContain(expected);
    expect(more).toEqual([]);
  });

  const mode = { capacityQps: null, busyWatts: null, idleWatts: null };
  const board = { modes: [0, 1].map((id) => ({ id, name: `M${id}`, ...mode })), nowMs: 0 };

  test.each([
    [{ liveQps: 400 }, { kind: "switch", modeId: 0 }],
    [{ liveQps: 20 }, { kind: "switch", modeId: 1 }],
    [
      { liveQps: 20, currentModeId: 1 },
      { kind: "hold", modeId: 1 },
    ],
    [
      { liveQps: 20, currentModeId: 0, temperatureC: 95 },
      { kind: "switch", modeId: 1, thermalCap: 1 },
    ],
    [{ modes: [] }, { kind: "none" }],
  ])("power mode of %j", (change, expected) => {
    expect(decisions["power-mode"]?.answer({ ...board, ...change }, "x.json")).toMatchObject(expected);
  });

  test("active agents, with the policy's defaults", () => {
    const candidates = ["a", "b"].map((agentId) => ({ agentId, active: agentId === "a", capacityQps: 400 }));
    const input = { fleet: { liveQps: 500, candidates }, nowMs: 1_000_000 };
    expect(decisions["active-agents"]?.answer(input, "x.json")).toMatchObject({ kind: "scale-out", activate: ["b"] });
    expect(mistakesIn("active-agents", { ...input, policy: { minReplicas: "2" } })[1]).toStartWith(
      "policy.minReplicas: ",
    );
    expect(mistakesIn("power-mode", { ...board, role: "boss" })[1]).toContain('role: expected one of "active"');
  });
});
