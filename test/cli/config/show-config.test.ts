import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Value } from "@sinclair/typebox/value";
import { parseAgentConfig } from "#agent/check-config.ts";
import { initialConfig, wantedKeys } from "#cli/config/initial-config.ts";
import { schemas } from "#cli/run/read-input.ts";
import { parseControllerConfig } from "#controller/check-config.ts";
import { parseYaml } from "#platform/files/parse-yaml.ts";
import { startProgram, temporaryDirectory } from "../../e2e/program.ts";

const parsers = { agent: parseAgentConfig, controller: parseControllerConfig } as const;
let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

async function config(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const program = startProgram(["config", ...args], directory.path, env);
  const output = await new Response(program.child.stdout).text();
  return { code: await program.child.exited, output, errors: program.log() };
}

describe.each(["agent", "controller"] as const)("config init %s", (program) => {
  const text = initialConfig(program);

  test("says what an empty file says, until something is uncommented", () => {
    expect(parsers[program](parseYaml(text, "init"), "init")).toEqual(parsers[program]({}, "init") as never);
    expect(text.split("\n").filter((line) => line.length > 150)).toEqual([]);
  });

  test("all its examples together are valid but for what excludes each other", () => {
    const uncommented = text.replaceAll(/^#(?! [A-Z])/gm, "");
    const input = parseYaml(uncommented, "init") as Record<string, Record<string, unknown>>;
    for (const name of Object.keys(wantedKeys[program])) {
      const value = name.split(".").reduce<unknown>((inner, key) => Object(inner)[key], input);
      expect([name, value]).toEqual([name, expect.anything()]);
    }
    expect([...Value.Errors(schemas[program], Value.Default(schemas[program], input))]).toEqual([]);
  });
});

test("a variable overrides the file, and show names the source of each value", async () => {
  await Bun.write(join(directory.path, "a.yaml"), "serving: {port: 8081, host: 127.0.0.1}\n");
  const args = ["show", "agent", "--config", "a.yaml", "--changed", "--origin"];
  expect(await config(args, { THORMESH_SERVING_PORT: "9" })).toEqual({
    code: 0,
    output:
      "FROM                   KEY AND VALUE\na.yaml                 serving.host: 127.0.0.1\nTHORMESH_SERVING_PORT  serving.port: 9\n",
    errors: "",
  });
});

test("a secret from a variable is not shown, unless asked for", async () => {
  const env = { THORMESH_BROKER_PASSWORD: "hunter2-hunter2" };
  const args = ["show", "agent", "--changed", "--json"];
  expect((await config(args, env)).output).not.toContain("hunter2");
  expect((await config([...args, "--show-secrets"], env)).output).toContain("hunter2");
});

test("a value that is wrong is refused with key and variable; one that means nothing is said", async () => {
  const wrong = await config(["show", "agent"], { THORMESH_SERVING_PORT: "eighty" });
  expect(wrong.code).toBe(2);
  expect(wrong.errors).toContain("the environment (THORMESH_SERVING_PORT) is not valid");
  expect(wrong.errors).toContain('serving.port: expected integer, got "eighty"');
  const strange = await config(["show", "agent", "--changed"], { THORMESH_SERVING_PROT: "80" });
  expect(strange.code).toBe(0);
  expect(strange.errors).toContain("THORMESH_SERVING_PROT: unknown variable, ignored");
});

test.each(["agent", "controller"] as const)("the schema of the %s describes each key for editors", async (program) => {
  const { output } = await config(["schema", program]);
  const schema = JSON.parse(output);
  expect(schema).toMatchObject({ $schema: expect.stringContaining("json-schema.org"), additionalProperties: false });
  expect(Object.keys(schema.properties)).toEqual(Object.keys(schemas[program].properties));
});
