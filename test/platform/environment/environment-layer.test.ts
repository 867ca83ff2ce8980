import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { AgentConfig } from "#agent/config.ts";
import { otherVariables } from "#cli/run/known-variables.ts";
import { ControllerConfig } from "#controller/config.ts";
import { configKeys, variableOf } from "#platform/environment/config-keys.ts";
import { environmentLayer, readVariable, unknownVariables } from "#platform/environment/environment-layer.ts";

const schema = Type.Object({
  name: Type.String(),
  serving: Type.Object({ port: Type.Integer(), hosts: Type.Array(Type.String()), maxBodyBytes: Type.Integer() }),
  oidc: Type.Union([Type.Object({ issuer: Type.String() }), Type.Null()], { default: null }),
});

test("a variable sets the key of its name, at any depth", () => {
  const { input, variables } = environmentLayer(schema, {
    THORMESH_NAME: "7",
    THORMESH_SERVING_PORT: "80",
    THORMESH_SERVING_MAX_BODY_BYTES: "1e3",
    THORMESH_OIDC_ISSUER: "https://id.example",
    THORMESH_SERVING_HOSTS: "",
    PORT: "81",
  });
  expect(input).toEqual({
    name: "7",
    serving: { port: 80, maxBodyBytes: 1000 },
    oidc: { issuer: "https://id.example" },
  });
  expect(Object.fromEntries(variables)).toEqual({
    name: "THORMESH_NAME",
    "serving.port": "THORMESH_SERVING_PORT",
    "serving.maxBodyBytes": "THORMESH_SERVING_MAX_BODY_BYTES",
    "oidc.issuer": "THORMESH_OIDC_ISSUER",
  });
});

test("a section as a whole, and a field of it over that", () => {
  const { input } = environmentLayer(schema, {
    THORMESH_OIDC: "{issuer: https://a.example}",
    THORMESH_OIDC_ISSUER: "https://b.example",
  });
  expect(input).toEqual({ oidc: { issuer: "https://b.example" } });
});

describe("the text of a variable is read as its key wants it", () => {
  test.each([
    ["12", Type.String(), "12"],
    ["null", Type.String(), "null"],
    ["null", Type.Union([Type.String(), Type.Null()]), null],
    ["12", Type.Union([Type.String(), Type.Null()]), "12"],
    ["on", Type.Union([Type.Literal("on"), Type.Literal("off")]), "on"],
    ["true", Type.Boolean(), true],
    ["yes", Type.Boolean(), "yes"],
    ["0.5", Type.Number(), 0.5],
    ["eighty", Type.Integer(), "eighty"],
    ["a, b", Type.Array(Type.String()), ["a", "b"]],
    ["[a, b]", Type.Array(Type.String()), ["a", "b"]],
    ["a", Type.Array(Type.String()), ["a"]],
    ["{a: 1}", Type.Record(Type.String(), Type.Number()), { a: 1 }],
    ["{a: 1", Type.Record(Type.String(), Type.Number()), "{a: 1"],
    ["2", Type.Union([Type.Number(), Type.Literal("auto")]), 2],
    ["auto", Type.Union([Type.Number(), Type.Literal("auto")]), "auto"],
  ] as const)("%s", (text, wanted, value) => {
    expect(readVariable(text, wanted, "THORMESH_X")).toEqual(value as never);
  });
});

/** Variables that mean the same as the key of their name. */
const sameMeaning = ["THORMESH_MODELS_TOKEN", "THORMESH_MODELS_URL", "THORMESH_STORE_PASSWORD"];

describe.each([
  ["agent", AgentConfig],
  ["controller", ControllerConfig],
] as const)("every key of the %s", (_, config) => {
  const keys = configKeys(config);
  test("has a variable of its own, which nothing else means", () => {
    expect(keys.length).toBeGreaterThan(100);
    const variables = keys.map(({ path }) => variableOf(path));
    expect(new Set(variables).size).toBe(keys.length);
    expect(variables.filter((name) => !/^THORMESH(_[A-Z0-9]+)+$/.test(name))).toEqual([]);
    expect(variables.filter((name) => otherVariables.includes(name) && !sameMeaning.includes(name))).toEqual([]);
  });

  test("keeps its default when the variable says the default", () => {
    for (const { path, schema: field } of keys) {
      const standard = field["default"];
      if (standard === undefined || standard === "") continue;
      const text = typeof standard === "string" ? standard : JSON.stringify(standard);
      expect([path, readVariable(text, field, variableOf(path))]).toEqual([path, standard]);
    }
  });
});

test("what nobody knows is named, with what may have been meant", () => {
  const environment = {
    THORMESH_NAEM: "x",
    THORMESH_NAME: "x",
    THORMESH_CACHE_DIR: "/tmp",
    THORMESH_API_KEY_FILE: "/k",
    PATH: "/bin",
  };
  expect(unknownVariables(environment, configKeys(schema), otherVariables)).toEqual([
    { name: "THORMESH_NAEM", hint: "; did you mean THORMESH_NAME?" },
  ]);
});
