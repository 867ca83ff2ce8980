import { expect, test } from "bun:test";
import { settingsOf } from "#agent/serving/models/model-settings.ts";
import { ServingConfig } from "#agent/serving/serving-config.ts";
import { parseConfig } from "#platform/files/read-config.ts";

const manifest = { id: "org/Large", aliases: ["large"] };

test.each([
  { name: "nothing of its own", models: {}, expected: { batchTokens: 100, batchTexts: null, threads: 3 } },
  {
    name: "its id, in whatever case",
    models: { "ORG/large": { batchTokens: 7 } },
    expected: { batchTokens: 7, threads: 3 },
  },
  {
    name: "an alias",
    models: { large: { threads: 1, precision: "fp16" } },
    expected: { threads: 1, precision: "fp16" },
  },
  {
    name: "both: the id has the last word, in whatever order",
    models: { "org/Large": { batchTokens: 1 }, large: { batchTokens: 2, batchTexts: 3 } },
    expected: { batchTokens: 1, batchTexts: 3 },
  },
  {
    name: "the operator's name for it",
    models: { mine: { batchTokens: 7 } },
    expected: { batchTokens: 7, threads: 3 },
  },
  { name: "another model's", models: { small: { batchTokens: 7 } }, expected: { batchTokens: 100 } },
])("settings of a model: $name", ({ models, expected }) => {
  const config = parseConfig(
    ServingConfig,
    { batchTokens: 100, threads: 3, models, aliases: { Mine: "LARGE", yours: "small" } },
    "test",
  );
  expect(settingsOf(config, manifest)).toMatchObject(expected);
});

test("unless configured, there are as many threads as this machine can use", () => {
  const config = parseConfig(ServingConfig, { models: { large: { threads: null } } }, "test");
  expect(settingsOf(config, manifest).threads).toBeGreaterThanOrEqual(1);
});

test("a wrong setting is named with its model", () => {
  const models = { large: { batchTokens: 0, speed: 1 } };
  expect(() => parseConfig(ServingConfig, { models }, "test")).toThrow(/models\.large\.speed: unknown field/);
  expect(() => parseConfig(ServingConfig, { models }, "test")).toThrow(/models\.large\.batchTokens: .*got 0/);
});
