import { expect, test } from "bun:test";
import { withTenantModels } from "#agent/serving/tenants/tenant-models.ts";
import { sameVectors } from "../grpc/start-grpc.ts";

const inner = { ...sameVectors(2), tokenize: async () => ({ texts: [], tokenizer: {} as never }) };
const embedder = withTenantModels(inner, {
  tenant: (name) =>
    new Map([
      ["red", { models: ["mini", "large"] }],
      ["blue", { models: null }],
    ]).get(name),
  idOf: (name) =>
    new Map([
      [undefined, "mini"],
      ["small", "mini"],
      ["mini", "mini"],
      ["gte", "gte"],
    ]).get(name) ?? null,
});
const { signal } = new AbortController();
const ask = (tenant: string | undefined, model: string | undefined, models: string[] | null = null) => {
  const scope = models === null ? undefined : { models, regions: null };
  const request = { model, scope, inputs: ["a"], inputsField: "input", dimensions: undefined, tenant, signal };
  return Promise.all([embedder.embed(request), embedder.tokenize({ ...request, addSpecialTokens: true })]).then(
    () => "answered",
    (error) => `${error.code} ${error.message}`,
  );
};

test.each([
  ["red", "mini"],
  ["red", "small"],
  ["red", undefined],
  ["red", "large"],
  ["blue", "gte"],
  ["green", "gte"],
  [undefined, "gte"],
])("tenant %p may use model %p", async (tenant, model) => {
  expect(await ask(tenant, model)).toBe("answered");
});

test.each([
  ["gte", '"gte"'],
  ["unknown", '"unknown"'],
])("tenant red may not use model %p", async (model, got) => {
  expect(await ask("red", model)).toBe(`FORBIDDEN model: tenant red may use mini, large; got ${got}`);
});

test.each([
  ["red", "mini", ["mini"], "answered"],
  ["red", "large", ["mini"], 'FORBIDDEN model: this key of tenant red may use mini; got "large"'],
  ["red", "gte", ["gte"], 'FORBIDDEN model: tenant red may use mini, large; got "gte"'],
  ["blue", undefined, ["gte"], 'FORBIDDEN model: this key of tenant blue may use gte; got "mini"'],
  [undefined, "gte", ["gte"], "answered"],
])("tenant %p with model %p and a key for %j", async (tenant, model, models, expected) => {
  expect(await ask(tenant, model, models)).toBe(expected);
});
