import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAgentConfig } from "#agent/check-config.ts";
import { parseControllerConfig } from "#controller/check-config.ts";
import { startProgram, temporaryDirectory } from "../../e2e/program.ts";

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

async function check(...args: string[]): Promise<{ exitCode: number; output: string; errors: string }> {
  const program = startProgram(["config", "check", ...args], directory.path);
  const output = await new Response(program.child.stdout).text();
  const exitCode = await program.child.exited;
  return { exitCode, output, errors: program.log() };
}

describe("thormesh config check", () => {
  // All keys of the first documented version, at the values that were their defaults.
  test.each(["agent", "controller"] as const)("a %s's configuration of the first version is still taken", (program) => {
    const file = join(import.meta.dir, `../../fixtures/configurations/${program}-of-first-release.json`);
    const config = JSON.parse(readFileSync(file, "utf8"));
    const parse = program === "agent" ? parseAgentConfig : parseControllerConfig;
    expect(Object.keys(config).length).toBeGreaterThan(5);
    expect(() => parse(config, file)).not.toThrow();
    expect(() => parse({ ...config, fromTomorrow: 1 }, file)).toThrow(/fromTomorrow: unknown field/);
  });

  test.each(["agent", "controller"])("an empty %s file is valid; --json shows every default", async (program) => {
    await Bun.write(join(directory.path, "c.yaml"), "");
    expect(await check(program, "c.yaml")).toEqual({
      exitCode: 0,
      output: `c.yaml is a valid ${program} configuration\n`,
      errors: "",
    });
    const { exitCode, output } = await check(program, "c.yaml", "--json");
    expect(exitCode).toBe(0);
    expect(JSON.parse(output)).toMatchObject({ fleet: "default", logLevel: "info" });
  });

  test("all errors of an agent's file come at once, each with its path, what was expected and what came", async () => {
    await Bun.write(
      join(directory.path, "a.yaml"),
      "brokr: {}\nserving: {port: eighty, threads: 0}\npower: {board: toaster}\n",
    );
    const { exitCode, errors } = await check("agent", "a.yaml");
    expect(exitCode).toBe(2);
    for (const text of [
      "a.yaml is not valid",
      "brokr: unknown field; did you mean broker?",
      "serving.threads",
      "got 0",
      '"jetson"',
      '"toaster"',
    ])
      expect(errors).toContain(text);
    expect(errors).toMatch(/serving\.port: .*got "eighty"/);
  });

  test("a controller's file is held to the controller's schema", async () => {
    await Bun.write(join(directory.path, "c.yaml"), "serving: {port: 1}\nscaling: {minReplicas: -1}\n");
    const { exitCode, errors } = await check("controller", "c.yaml");
    expect(exitCode).toBe(2);
    for (const text of ["serving: unknown field", "scaling.minReplicas"]) expect(errors).toContain(text);
  });

  test("what a controller's schema can't say is named beside what it can", async () => {
    const capacity = 'process: [{id: a, listen: "127.0.0.1:1"}, {id: a, listen: "127.0.0.1:2"}]';
    const cloud = "[{id: x, kind: spot, capacityQps: 1, agents: [b]}, {id: x, kind: dear, capacityQps: 1}]";
    const scaling = `{minReplicas: 9, maxReplicas: 3, tolerance: -1, capacity: {${capacity}}, cloud: ${cloud}}`;
    await Bun.write(join(directory.path, "c.yaml"), `scaling: ${scaling}\n`);
    const { exitCode, errors } = await check("controller", "c.yaml");
    expect(exitCode).toBe(2);
    for (const path of [
      "scaling.tolerance",
      "scaling.cloud.1.kind",
      "scaling.minReplicas",
      "scaling.capacity.process.1.id",
      "scaling.cloud.0.agents.0",
      "scaling.cloud.1.id",
    ]) {
      expect(errors).toContain(`  ${path}: `);
    }
  });

  test.each([
    ["no program", [], "expected agent or controller"],
    ["an unknown program", ["toaster", "c.yaml"], 'expected agent or controller, got "toaster"'],
    ["a name every object has", ["constructor", "c.yaml"], "expected agent or controller"],
    ["no file", ["agent"], "expected a file to check"],
    ["two files", ["agent", "c.yaml", "d.yaml"], 'expected "check agent FILE"'],
    ["a file that is not there", ["agent", "none.yaml"], "none.yaml can't be read"],
    ["a file that is no YAML", ["agent", "bad.yaml"], "bad.yaml is not valid YAML:\n  line 2: "],
    ["a file with a list", ["agent", "list.yaml"], "expected object"],
  ])("%s is a usage error", async (_name, args, text) => {
    await Bun.write(join(directory.path, "c.yaml"), "{}");
    await Bun.write(join(directory.path, "bad.yaml"), "a: [1\nb: }{");
    await Bun.write(join(directory.path, "list.yaml"), "- 1\n- 2\n");
    const { exitCode, errors } = await check(...args);
    expect(errors).toContain(text);
    expect(exitCode).toBe(2);
  });
});
