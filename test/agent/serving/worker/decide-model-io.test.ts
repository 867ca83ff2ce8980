import { expect, test } from "bun:test";
import { decideModelIo, type TensorDescription } from "#agent/serving/worker/decide-model-io.ts";
import { explainModelIo } from "#agent/serving/worker/explain-model-io.ts";

const ids: TensorDescription = { name: "input_ids", type: "int64", shape: ["batch", "sequence"] };
const mask = { ...ids, name: "attention_mask" };
const tokens = (name: string, type = "float32", size: number | string = 384): TensorDescription => ({
  name,
  type,
  shape: ["batch", "sequence", size],
});
const texts = (name: string, type = "float32", size: number | string = 384): TensorDescription => ({
  name,
  type,
  shape: ["batch", size],
});

test.each([
  {
    name: "Optimum's export",
    outputs: [tokens("last_hidden_state")],
    output: "last_hidden_state",
    rule: "token-vectors",
  },
  {
    name: "the sentence embedding before the tokens'",
    outputs: [tokens("token_embeddings"), texts("sentence_embedding")],
    output: "sentence_embedding",
    rule: "sentence-embedding",
  },
  {
    name: "never BERT's pooler where there are token vectors",
    outputs: [texts("pooler_output"), tokens("last_hidden_state")],
    output: "last_hidden_state",
    rule: "token-vectors",
  },
  {
    name: "token vectors before text vectors of another name",
    outputs: [texts("text_embeds"), tokens("last_hidden_state")],
    output: "last_hidden_state",
    rule: "token-vectors",
  },
  { name: "a pooler alone", outputs: [texts("pooler_output")], output: "pooler_output", rule: "text-vectors" },
  {
    name: "names that say nothing, numbers of other kinds between",
    outputs: [
      { name: "output", type: "int64", shape: ["b", "s"] },
      { name: "463", type: "int64", shape: ["a", "b"] },
      tokens("onnx::Shape_422"),
      texts("461"),
    ],
    output: "onnx::Shape_422",
    rule: "token-vectors",
  },
  {
    name: "half precision",
    outputs: [tokens("last_hidden_state", "float16")],
    output: "last_hidden_state",
    rule: "token-vectors",
  },
  {
    name: "sizes not stated",
    outputs: [tokens("last_hidden_state", "float32", "d")],
    output: "last_hidden_state",
    rule: "token-vectors",
  },
  {
    name: "no shape at all",
    outputs: [{ name: "last_hidden_state", type: "float32", shape: [] }],
    output: "last_hidden_state",
    rule: "token-vectors",
  },
  { name: "one of text vectors under any name", outputs: [texts("dense_3")], output: "dense_3", rule: "text-vectors" },
  {
    name: "the sentence embedding among others of text vectors",
    outputs: [texts("text_embeds"), texts("sentence_embedding")],
    output: "sentence_embedding",
    rule: "sentence-embedding",
  },
  {
    name: "the best-known name of text vectors",
    outputs: [texts("pooler_output"), texts("embeddings"), texts("x")],
    output: "embeddings",
    rule: "text-vectors",
  },
  {
    name: "a known name of another rank is not it",
    outputs: [texts("last_hidden_state"), tokens("sentence_embedding")],
    output: "sentence_embedding",
    rule: "token-vectors",
  },
  {
    name: "token vectors under a usual name, though there are several",
    outputs: [tokens("a"), tokens("token_embeddings")],
    output: "token_embeddings",
    rule: "token-vectors",
  },
] as const)("$name", ({ outputs, output, rule }) => {
  const io = decideModelIo([ids, mask], outputs, { dimension: 384, pooledOnly: false });
  expect(io).toMatchObject({ kind: "usable", rule, output, per: rule === "token-vectors" ? "tokens" : "texts" });
});

test.each([
  { names: ["sentence_embedding", "text_embeds", "sentence_embeddings", "embeddings", "logits", "pooler_output"] },
])("text vectors under usual names: the first of $names that is there", ({ names }) => {
  for (const [index, name] of names.entries()) {
    const outputs = [
      texts("x"),
      ...names
        .slice(index)
        .reverse()
        .map((each) => texts(each)),
    ];
    const io = decideModelIo([ids], outputs, { dimension: 384, pooledOnly: false });
    const rule = index === 0 ? "sentence-embedding" : "text-vectors";
    expect(io).toMatchObject({ output: name, rule });
  }
});

test.each([{ names: ["last_hidden_state", "token_embeddings", "hidden_states"] }])(
  "token vectors under usual names: the first of $names that is there",
  ({ names }) => {
    for (const [index, name] of names.entries()) {
      const outputs = [
        tokens("x"),
        ...names
          .slice(index)
          .reverse()
          .map((each) => tokens(each)),
      ];
      const io = decideModelIo([ids], outputs, { dimension: 384, pooledOnly: false });
      expect(io).toMatchObject({ output: name, rule: "token-vectors" });
    }
  },
);

test.each([
  { name: "logits", outputs: [texts("logits", "float32", 1)], rule: "text-vectors" },
  {
    name: "logits in a list",
    outputs: [{ name: "logits", type: "float32", shape: ["batch"] }],
    rule: "single-numbers",
  },
  {
    name: "logits beside hidden states",
    outputs: [tokens("hidden_states"), texts("logits", "float32", 1)],
    rule: "text-vectors",
  },
])("a cross-encoder's $name", ({ outputs, rule }) => {
  const io = decideModelIo([ids], outputs, { dimension: 1, pooledOnly: true });
  expect(io).toMatchObject({ kind: "usable", rule, output: "logits", per: "texts" });
});

test("inputs are fed in the type the file wants", () => {
  const inputs = [
    ids,
    { ...mask, type: "int32" },
    { ...ids, name: "token_type_ids" },
    { ...ids, name: "position_ids" },
  ];
  expect(decideModelIo(inputs, [tokens("x")], { dimension: 384, pooledOnly: false })).toMatchObject({
    inputs: [
      { name: "input_ids", type: "int64" },
      { name: "attention_mask", type: "int32" },
      { name: "token_type_ids", type: "int64" },
      { name: "position_ids", type: "int64" },
    ],
  });
});

const list = { name: "logits", type: "float32", shape: ["batch"] };
test.each([
  { name: "a list of another dimension", dimension: 2, outputs: [list] },
  { name: "a list beside another output", dimension: 1, outputs: [list, tokens("x", "float32", 1)] },
  { name: "token vectors for one number", dimension: 1, outputs: [tokens("x", "float32", 1)] },
])("no score of a cross-encoder: $name", ({ dimension, outputs }) => {
  const io = decideModelIo([ids], outputs, { dimension, pooledOnly: true });
  expect(io).toEqual({ kind: "unusable", rule: "no-text-vectors", dimension, outputs });
});

const cache = (shape: TensorDescription["shape"], type = "float32", name = "past_key_values.0.key") => ({
  name,
  type,
  shape,
});
const present = { name: "present.0.key", type: "float32", shape: ["batch", 8, "total", 128] };

test.each(["float32", "float16"] as const)("a decoder that gives token vectors is fed empty caches of %s", (type) => {
  const inputs = [ids, cache(["batch", 8, "past", 128], type), mask];
  expect(decideModelIo(inputs, [tokens("last_hidden_state"), present], { dimension: 384, pooledOnly: false })).toEqual({
    kind: "usable",
    rule: "token-vectors",
    inputs: [
      { name: "input_ids", type: "int64" },
      { name: "attention_mask", type: "int64" },
    ],
    caches: [{ name: "past_key_values.0.key", type, heads: 8, size: 128 }],
    output: "last_hidden_state",
    per: "tokens",
    tokenOutput: "last_hidden_state",
  });
});

test.each([
  { name: "probabilities of the next token only", input: cache(["batch", 8, "past", 128]), output: tokens("logits") },
  {
    name: "a cache of unknown heads",
    input: cache(["batch", "heads", "past", 128]),
    output: tokens("last_hidden_state"),
  },
  { name: "a cache of unknown size", input: cache(["batch", 8, "past", "size"]), output: tokens("last_hidden_state") },
  { name: "a cache of another rank", input: cache([2, "batch", 8, "past", 128]), output: tokens("last_hidden_state") },
  {
    name: "a cache of whole numbers",
    input: cache(["batch", 8, "past", 128], "int64"),
    output: tokens("last_hidden_state"),
  },
])("a decoder that can't be used: $name", ({ input, output }) => {
  const io = decideModelIo([ids, input], [output, present], { dimension: 384, pooledOnly: false });
  expect(io).toEqual({ kind: "unusable", rule: "generates-text", inputs: [input] });
});

test("a cache by another name is an unknown input", () => {
  const input = cache(["batch", 8, "past", 128], "float32", "state");
  const io = decideModelIo([ids, input], [tokens("last_hidden_state")], { dimension: 384, pooledOnly: false });
  expect(io).toEqual({ kind: "unusable", rule: "unknown-inputs", inputs: [input] });
});

const pixels = { ...ids, name: "pixel_values" };
const past = { ...ids, name: "past_key_values.0.key" };
const fed = "input_ids, attention_mask, token_type_ids, position_ids";
test.each([
  {
    name: "inputs that can't be fed",
    inputs: [ids, pixels],
    outputs: [tokens("x")],
    io: { rule: "unknown-inputs", inputs: [pixels] },
    text: `expected no inputs but ${fed}, got pixel_values`,
  },
  {
    name: "an export for generating",
    inputs: [ids, past, pixels],
    outputs: [tokens("x")],
    io: { rule: "generates-text", inputs: [past, pixels] },
    text: `expected no inputs but ${fed}, got past_key_values.0.key, pixel_values: this is an export for generating text; use one that outputs last_hidden_state`,
  },
  {
    name: "no token ids",
    inputs: [mask],
    outputs: [tokens("x")],
    io: { rule: "no-token-ids", inputs: [mask] },
    text: "expected the input input_ids, got attention_mask",
  },
  {
    name: "no inputs",
    inputs: [],
    outputs: [tokens("x")],
    io: { rule: "no-token-ids", inputs: [] },
    text: "expected the input input_ids, got none",
  },
  {
    name: "embeddings as input",
    inputs: [
      { ...ids, type: "float32" },
      { ...mask, type: "float16" },
    ],
    outputs: [tokens("x")],
    io: { rule: "no-whole-numbers", inputs: [{ ...ids, type: "float32" }] },
    text: "expected whole numbers as input input_ids, got float32",
  },
  {
    name: "no outputs",
    inputs: [ids],
    outputs: [],
    io: { rule: "no-vectors", dimension: 384, outputs: [] },
    text: "expected an output of token or text vectors, got none",
  },
  {
    name: "only whole numbers",
    inputs: [ids],
    outputs: [tokens("x", "int64")],
    io: { rule: "no-vectors", outputs: [tokens("x", "int64")] },
    text: "expected an output of token or text vectors, got x int64 [batch, sequence, 384]",
  },
  {
    name: "two that could be meant",
    inputs: [ids],
    outputs: [tokens("a"), tokens("b")],
    io: { rule: "no-vectors", outputs: [tokens("a"), tokens("b")] },
    text: "expected an output of token or text vectors, got a float32 [batch, sequence, 384]; b float32 [batch, sequence, 384]",
  },
  {
    name: "another dimension",
    inputs: [ids],
    outputs: [texts("x"), tokens("last_hidden_state", "float32", 768)],
    io: { rule: "another-dimension", dimension: 384, outputs: [tokens("last_hidden_state", "float32", 768)] },
    text: "expected vectors of 384 numbers, got last_hidden_state float32 [batch, sequence, 768]",
  },
  {
    name: "no numbers at all",
    inputs: [ids],
    outputs: [tokens("last_hidden_state", "float32", 0)],
    io: { rule: "another-dimension", outputs: [tokens("last_hidden_state", "float32", 0)] },
    text: "expected vectors of 384 numbers, got last_hidden_state float32 [batch, sequence, 0]",
  },
])("$name: says so", ({ inputs, outputs, io, text }) => {
  const decision = decideModelIo(inputs, outputs, { dimension: 384, pooledOnly: false });
  expect(decision).toMatchObject({ kind: "unusable", ...io });
  expect(decision.kind === "unusable" && explainModelIo(decision)).toBe(text);
});

test("a size that the file gives as -1 is not known", () => {
  const io = decideModelIo([ids], [tokens("x", "float32", -1)], { dimension: 384, pooledOnly: false });
  expect(io).toMatchObject({ kind: "usable", rule: "token-vectors" });
});

test("a model with a layer behind the pooling needs an output of text vectors", () => {
  const outputs = [tokens("last_hidden_state")];
  const io = decideModelIo([ids], outputs, { dimension: 384, pooledOnly: true });
  expect(io).toEqual({ kind: "unusable", rule: "no-text-vectors", dimension: 384, outputs });
  expect(io.kind === "unusable" && explainModelIo(io)).toBe(
    "expected an output of 384 numbers for each text, got last_hidden_state float32 [batch, sequence, 384]",
  );
});

test.each([
  { name: "alone", outputs: [texts("pooler_output")] },
  { name: "beside token vectors", outputs: [tokens("last_hidden_state"), texts("pooler_output")] },
])("BERT's own head $name is not a layer behind the pooling", ({ outputs }) => {
  const io = decideModelIo([ids, mask], outputs, { dimension: 384, pooledOnly: true });
  expect(io).toMatchObject({ kind: "unusable", rule: "no-text-vectors" });
});
