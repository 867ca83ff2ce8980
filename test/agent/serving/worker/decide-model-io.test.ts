import { expect, test } from "bun:test";
import { decideModelIo, type TensorDescription } from "#agent/serving/worker/decide-model-io.ts";

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
  { name: "Optimum's export", outputs: [tokens("last_hidden_state")], output: "last_hidden_state", per: "tokens" },
  {
    name: "the sentence embedding before the tokens'",
    outputs: [tokens("token_embeddings"), texts("sentence_embedding")],
    output: "sentence_embedding",
    per: "texts",
  },
  {
    name: "never BERT's pooler where there are token vectors",
    outputs: [texts("pooler_output"), tokens("last_hidden_state")],
    output: "last_hidden_state",
    per: "tokens",
  },
  { name: "a pooler alone", outputs: [texts("pooler_output")], output: "pooler_output", per: "texts" },
  {
    name: "names that say nothing, numbers of other kinds between",
    outputs: [
      { name: "output", type: "int64", shape: ["b", "s"] },
      { name: "463", type: "int64", shape: ["a", "b"] },
      tokens("onnx::Shape_422"),
      texts("461"),
    ],
    output: "onnx::Shape_422",
    per: "tokens",
  },
  {
    name: "half precision",
    outputs: [tokens("last_hidden_state", "float16")],
    output: "last_hidden_state",
    per: "tokens",
  },
  {
    name: "sizes not stated",
    outputs: [tokens("last_hidden_state", "float32", "d")],
    output: "last_hidden_state",
    per: "tokens",
  },
  {
    name: "no shape at all",
    outputs: [{ name: "last_hidden_state", type: "float32", shape: [] }],
    output: "last_hidden_state",
    per: "tokens",
  },
  { name: "one of text vectors under any name", outputs: [texts("dense_3")], output: "dense_3", per: "texts" },
] as const)("$name", ({ outputs, output, per }) => {
  const io = decideModelIo([ids, mask], outputs, { dimension: 384, pooledOnly: false });
  expect(io).toMatchObject({ kind: "usable", output, per });
});

test.each([
  { name: "logits", outputs: [texts("logits", "float32", 1)] },
  { name: "logits in a list", outputs: [{ name: "logits", type: "float32", shape: ["batch"] }] },
  { name: "logits beside hidden states", outputs: [tokens("hidden_states"), texts("logits", "float32", 1)] },
])("a cross-encoder's $name", ({ outputs }) => {
  const io = decideModelIo([ids], outputs, { dimension: 1, pooledOnly: true });
  expect(io).toMatchObject({ kind: "usable", output: "logits", per: "texts" });
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

test.each([
  {
    name: "inputs that can't be fed",
    inputs: [ids, { ...ids, name: "pixel_values" }],
    outputs: [tokens("x")],
    message: "got pixel_values",
  },
  {
    name: "an export for generating",
    inputs: [ids, { ...ids, name: "past_key_values.0.key" }],
    outputs: [tokens("x")],
    message: "one without past key values is needed",
  },
  { name: "no token ids", inputs: [mask], outputs: [tokens("x")], message: "expected the input input_ids" },
  { name: "no inputs", inputs: [], outputs: [tokens("x")], message: "got none" },
  {
    name: "embeddings as input",
    inputs: [{ ...ids, type: "float32" }],
    outputs: [tokens("x")],
    message: "got float32",
  },
  { name: "no outputs", inputs: [ids], outputs: [], message: "got none" },
  { name: "only whole numbers", inputs: [ids], outputs: [tokens("x", "int64")], message: "got x int64" },
  { name: "two that could be meant", inputs: [ids], outputs: [tokens("a"), tokens("b")], message: "got a float32" },
  {
    name: "another dimension",
    inputs: [ids],
    outputs: [tokens("last_hidden_state", "float32", 768)],
    message: "expected vectors of 384 numbers, got last_hidden_state float32 [batch, sequence, 768]",
  },
])("$name: says so", ({ inputs, outputs, message }) => {
  const io = decideModelIo(inputs, outputs, { dimension: 384, pooledOnly: false });
  expect(io).toMatchObject({ kind: "unusable", reason: expect.stringContaining(message) });
});

test("a model with a layer behind the pooling needs an output of text vectors", () => {
  const io = decideModelIo([ids], [tokens("last_hidden_state")], { dimension: 384, pooledOnly: true });
  expect(io).toMatchObject({ kind: "unusable", reason: expect.stringContaining("384 numbers a text") });
});
