import { expect, test } from "bun:test";
import { applyPrompt } from "#agent/serving/text/prompt/apply-prompt.ts";

const prompts = { query: "query: ", document: "", passage: "passage: " };

test.each([
  { name: "none", defaultPrompt: null, promptName: undefined, expected: ["a", "b"] },
  { name: "the default", defaultPrompt: "passage", promptName: undefined, expected: ["passage: a", "passage: b"] },
  { name: "one by name", defaultPrompt: "passage", promptName: "query", expected: ["query: a", "query: b"] },
  { name: "an empty one", defaultPrompt: "query", promptName: "document", expected: ["a", "b"] },
])("$name", ({ defaultPrompt, promptName, expected }) => {
  expect(applyPrompt({ id: "m", prompts, defaultPrompt }, { promptName }, ["a", "b"])).toEqual({ inputs: expected });
});

test("token ids stay as they are with a default prompt", () => {
  expect(applyPrompt<string | number[]>({ id: "m", prompts, defaultPrompt: "query" }, {}, [[1, 2], "a"])).toEqual({
    inputs: [[1, 2], "query: a"],
  });
});

test.each([
  {
    name: "one that is not there",
    model: { prompts },
    inputs: ["a"],
    promptName: "clustering",
    message: 'one of "query", "document", "passage", got "clustering"',
  },
  {
    name: "a name that every object has",
    model: { prompts },
    inputs: ["a"],
    promptName: "toString",
    message: 'got "toString"',
  },
  {
    name: "a model without prompts",
    model: { prompts: {} },
    inputs: ["a"],
    promptName: "query",
    message: "as m has no prompts",
  },
  { name: "token ids", model: { prompts }, inputs: [[1]], promptName: "query", message: "none with token ids" },
])("refuses $name", ({ model, inputs, promptName, message }) => {
  const attempt = () => applyPrompt<unknown>({ id: "m", defaultPrompt: null, ...model }, { promptName }, inputs);
  expect(attempt).toThrow(message);
  expect(attempt).toThrow("prompt_name: ");
});
