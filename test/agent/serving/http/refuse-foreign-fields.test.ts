import { expect, test } from "bun:test";
import { refuseForeignFields } from "#agent/serving/http/refuse-foreign-fields.ts";

test.each([
  ["add_special_tokens", false],
  ["embedding_type", "binary"],
  ["embedding_types", ["float", "int8"]],
  ["instruction", "Represent this"],
  ["late_chunking", true],
  ["normalize", false],
  ["normalized", false],
  ["output_dimension", 256],
  ["output_dimensionality", 256],
  ["output_dtype", "int8"],
  ["prompt", "query: "],
  ["truncate_prompt_tokens", 64],
])("%s: %p asks for other vectors", (name, value) => {
  expect(() => refuseForeignFields({ input: "a", [name]: value })).toThrow(`${name}: expected`);
});

test("what changes no vector is left aside", () => {
  const body = {
    input: "a",
    user: "u",
    normalize: true,
    normalized: null,
    embedding_types: ["float"],
    late_chunking: false,
    truncate_prompt_tokens: -1,
  };
  expect(() => refuseForeignFields(body)).not.toThrow();
  expect(() => refuseForeignFields(JSON.parse('{"__proto__": {"normalize": false}}'))).not.toThrow();
});
