import { describe, expect, test } from "bun:test";
import { describeModelDirectory } from "#agent/serving/models/describe-model-directory.ts";
import { describesModel } from "#agent/serving/models/describe-modules.ts";

const bert = { architectures: ["BertModel"], model_type: "bert", hidden_size: 384, max_position_embeddings: 512 };
const modules = [
  { idx: 0, path: "", type: "sentence_transformers.models.Transformer" },
  { idx: 1, path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
  { idx: 2, path: "2_Normalize", type: "sentence_transformers.models.Normalize" },
];
const pooling = { word_embedding_dimension: 384, pooling_mode_cls_token: false, pooling_mode_mean_tokens: true };

function describeWith(
  json: Record<string, unknown>,
  paths: readonly string[] = ["onnx/model.onnx"],
  catalogue?: "cls" | "last-token",
) {
  const files = paths.map((path) => ({ path, bytes: 4_000 }));
  return describeModelDirectory("m", "r", { files, json: { "config.json": bert, ...json } }, catalogue);
}

test("a sentence-transformers directory is what its files say", () => {
  const { manifest, notes } = describeWith({
    "modules.json": modules,
    "1_Pooling/config.json": pooling,
    "sentence_bert_config.json": { max_seq_length: 256, do_lower_case: true },
    "config_sentence_transformers.json": {
      prompts: { query: "query: ", document: "" },
      default_prompt_name: "document",
    },
    "tokenizer_config.json": { model_max_length: 512 },
  });
  expect(manifest).toEqual({
    id: "m",
    name: "m",
    aliases: [],
    revision: "r",
    licence: "unknown",
    source: {},
    files: { "onnx/model.onnx": { bytes: 4_000 } },
    onnx: [{ path: "onnx/model.onnx", precision: "fp32", architecture: "any" }],
    kind: "embedding",
    dimension: 384,
    pooling: "mean",
    firstPosition: 0,
    normalise: true,
    maxTokens: 256,
    lowercase: true,
    prompts: { query: "query: ", document: "" },
    defaultPrompt: "document",
    relevantLabel: 0,
    params: 1_000,
  });
  expect(notes).toEqual([]);
});

test("what no file says is assumed, and said", () => {
  const { manifest, notes } = describeWith({ "config.json": { hidden_size: 8 } }, ["model.onnx"]);
  expect(manifest).toMatchObject({
    pooling: "mean",
    normalise: true,
    maxTokens: 512,
    prompts: {},
    defaultPrompt: null,
  });
  expect(notes).toEqual([
    "1_Pooling/config.json does not exist: assuming mean pooling",
    "no file says how many tokens the model reads: assuming 512",
  ]);
});

describe("pooling", () => {
  const noMean = { pooling_mode_mean_tokens: false };
  test.each([
    { name: "mean", config: { pooling_mode_mean_tokens: true, pooling_mode_cls_token: false }, expected: "mean" },
    { name: "cls", config: { pooling_mode_mean_tokens: false, pooling_mode_cls_token: true }, expected: "cls" },
    { name: "last token", config: { ...noMean, pooling_mode_lasttoken: true }, expected: "last-token" },
    { name: "maximum", config: { ...noMean, pooling_mode_max_tokens: true }, expected: "max" },
    { name: "by length", config: { ...noMean, pooling_mode_mean_sqrt_len_tokens: true }, expected: "mean-sqrt-length" },
    { name: "by position", config: { ...noMean, pooling_mode_weightedmean_tokens: true }, expected: "weighted-mean" },
    { name: "the mean unless it is off", config: { word_embedding_dimension: 384 }, expected: "mean" },
    { name: "the newer way", config: { pooling_mode: "lasttoken" }, expected: "last-token" },
    { name: "the newer way in capitals", config: { pooling_mode: "MAX" }, expected: "max" },
    { name: "a list of one", config: { pooling_mode: ["weightedmean"] }, expected: "weighted-mean" },
  ] as const)("$name", ({ config, expected }) => {
    expect(describeWith({ "1_Pooling/config.json": config }).manifest.pooling).toBe(expected);
  });

  test.each([
    { name: "another one", config: { ...noMean, pooling_mode_attention: true }, message: "got pooling_mode_attention" },
    { name: "none", config: { pooling_mode_mean_tokens: false }, message: "got none" },
    {
      name: "two together",
      config: { pooling_mode_mean_tokens: true, pooling_mode_cls_token: true },
      message: "got pooling_mode_mean_tokens, pooling_mode_cls_token",
    },
    { name: "a list of two", config: { pooling_mode: ["cls", "mean"] }, message: "got cls, mean" },
  ])("$name is refused", ({ config, message }) => {
    expect(() => describeWith({ "1_Pooling/config.json": config })).toThrow(
      `1_Pooling/config.json: expected one pooling`,
    );
    expect(() => describeWith({ "1_Pooling/config.json": config })).toThrow(message);
  });

  test.each([
    { config: { pooling_mode_cls_token: true }, notes: 1 },
    { config: { ...noMean, pooling_mode_cls_token: true }, notes: 0 },
  ])("$config: cls, and a note where sentence-transformers would join the mean", ({ config, notes }) => {
    const described = describeWith({ "1_Pooling/config.json": config });
    expect(described.manifest.pooling).toBe("cls");
    expect(described.notes.filter((note) => note.includes("sentence-transformers would join the mean"))).toHaveLength(
      notes,
    );
  });

  const decoder = { ...bert, architectures: ["Qwen3ForCausalLM"] };
  const cls = { pooling_mode_cls_token: true };
  test.each([
    {
      name: "an encoder",
      files: {},
      catalogue: undefined,
      expected: "mean",
      note: "assuming mean pooling",
    },
    {
      name: "a decoder",
      files: { "config.json": decoder },
      catalogue: undefined,
      expected: "last-token",
      note: "assuming last-token pooling, because the model is a decoder (Qwen3ForCausalLM)",
    },
    { name: "one of the catalogue", files: {}, catalogue: "cls", expected: "cls", note: null },
    {
      name: "a decoder of the catalogue",
      files: { "config.json": decoder },
      catalogue: "last-token",
      expected: "last-token",
      note: null,
    },
    {
      name: "its own file before the catalogue",
      files: { "1_Pooling/config.json": cls },
      catalogue: "last-token",
      expected: "cls",
      note: null,
    },
  ] as const)("where no file says: $name", ({ files, catalogue, expected, note }) => {
    const { manifest, notes } = describeWith(files, ["onnx/model.onnx"], catalogue);
    expect(manifest.pooling).toBe(expected);
    const said = notes.filter((each) => each.includes("assuming") && each.includes("Pooling"));
    expect(said).toEqual(note === null ? [] : [`1_Pooling/config.json does not exist: ${note}`]);
  });

  test("with a dense layer behind it, the ONNX file has to do it", () => {
    const dense = [...modules.slice(0, 2), { path: "2_Dense", type: "sentence_transformers.models.Dense" }];
    const { manifest } = describeWith({
      "modules.json": dense,
      "1_Pooling/config.json": pooling,
      "2_Dense/config.json": { in_features: 384, out_features: 512 },
    });
    expect(manifest).toMatchObject({ pooling: "model", dimension: 512, normalise: false });
  });
});

test("of two dense layers the last one says how long vectors are", () => {
  const dense = ["2_Dense", "3_Dense"].map((path) => ({ path, type: "sentence_transformers.models.Dense" }));
  const { manifest } = describeWith({
    "modules.json": [...modules.slice(0, 2), ...dense],
    "1_Pooling/config.json": pooling,
    "2_Dense/config.json": { in_features: 384, out_features: 3072 },
    "3_Dense/config.json": { in_features: 3072, out_features: 768 },
  });
  expect(manifest).toMatchObject({ pooling: "model", dimension: 768 });
});

test("vectors have one number at least", () => {
  expect(describeWith({ "config.json": { hidden_size: 1 } }).manifest.dimension).toBe(1);
  expect(() => describeWith({ "config.json": { hidden_size: 0 } })).toThrow("expected hidden_size");
});

describe("how many tokens it reads", () => {
  const xlmr = { ...bert, model_type: "xlm-roberta", max_position_embeddings: 514, pad_token_id: 1 };
  test.each([
    { name: "sentence-transformers' own limit", config: bert, own: 128, tokenizer: 512, expected: 128 },
    { name: "not more than there are positions", config: bert, own: 1024, tokenizer: 512, expected: 512 },
    { name: "the tokenizer's limit", config: bert, own: null, tokenizer: 256, expected: 256 },
    { name: "a tokenizer without a limit", config: bert, own: undefined, tokenizer: 1e30, expected: 512 },
    { name: "XLM-R's first positions are not used", config: xlmr, own: null, tokenizer: 1e30, expected: 512 },
    {
      name: "more than usual",
      config: { ...bert, max_position_embeddings: 8192 },
      own: null,
      tokenizer: 8192,
      expected: 8192,
    },
  ])("$name", ({ config, own, tokenizer, expected }) => {
    const { manifest } = describeWith({
      "config.json": config,
      "sentence_bert_config.json": { max_seq_length: own },
      "tokenizer_config.json": { model_max_length: tokenizer },
    });
    expect(manifest.maxTokens).toBe(expected);
  });
});

describe("cross-encoders", () => {
  test.each([
    { name: "one label", id2label: { 0: "LABEL_0" }, count: 1, relevant: 0 },
    { name: "two without names", id2label: { 0: "LABEL_0", 1: "LABEL_1" }, count: 2, relevant: 1 },
    { name: "two, as transformers assumes", id2label: undefined, count: 2, relevant: 1 },
    { name: "two with names", id2label: { 0: "yes", 1: "no" }, count: 2, relevant: 0 },
    {
      name: "three of which one is entailment",
      id2label: { 0: "contradiction", 1: "entailment", 2: "neutral" },
      count: 3,
      relevant: 1,
    },
  ])("$name", ({ id2label, count, relevant }) => {
    const config = { ...bert, architectures: ["BertForSequenceClassification"], id2label };
    expect(describeWith({ "config.json": config }).manifest).toMatchObject({
      kind: "cross-encoder",
      dimension: count,
      relevantLabel: relevant,
      pooling: "model",
    });
  });

  test("labels of which none means relevant are refused", () => {
    const id2label = { 0: "joy", 1: "anger", 2: "fear" };
    const config = { ...bert, architectures: ["RobertaForSequenceClassification"], id2label };
    expect(() => describeWith({ "config.json": config })).toThrow("got 3: joy, anger, fear");
  });
});

test.each([
  { name: "no ONNX file", json: {}, paths: ["model.safetensors"], message: "got no ONNX file" },
  { name: "an ONNX file elsewhere", json: {}, paths: ["other/model.onnx"], message: "got no ONNX file" },
  { name: "no config.json", json: { "config.json": undefined }, message: "expected config.json" },
  { name: "no size", json: { "config.json": {} }, message: "expected hidden_size" },
  {
    name: "sizes that contradict",
    json: { "1_Pooling/config.json": { ...pooling, word_embedding_dimension: 768 } },
    message: "1_Pooling/config.json says 768",
  },
  {
    name: "a module of another kind",
    json: { "modules.json": [{ path: "", type: "sentence_transformers.models.CLIPModel" }] },
    message: "type CLIPModel",
  },
  {
    name: "a module of the model's own code",
    json: { "modules.json": [{ path: "", type: "custom_st.Transformer" }] },
    message: "got custom_st.Transformer, which is the model's own code",
  },
  {
    name: "a Transformer in a directory of its own",
    json: { "modules.json": [{ path: "0_Transformer", type: "sentence_transformers.models.Transformer" }] },
    message: "got them in 0_Transformer",
  },
  {
    name: "a pooling whose file is not there",
    json: { "modules.json": modules },
    message: "expected the file 1_Pooling/config.json",
  },
  {
    name: "another size, as newer files name it",
    json: { "1_Pooling/config.json": { embedding_dimension: 768, pooling_mode: "mean" } },
    message: "1_Pooling/config.json says 768",
  },
  {
    name: "a default prompt that is not there",
    json: { "config_sentence_transformers.json": { prompts: { query: "q" }, default_prompt_name: "passage" } },
    message: 'default_prompt_name is "passage"',
  },
])("$name is refused", ({ json, paths, message }) => {
  expect(() => describeWith(json, paths)).toThrow(message);
});

test.each([
  { path: "config.json", read: true },
  { path: "1_Pooling/config.json", read: true },
  { path: "2_Dense/config.json", read: true },
  { path: "pooling/config.json", read: true },
  { path: "sentence_xlm-roberta_config.json", read: true },
  { path: "tokenizer.json", read: false },
  { path: "onnx/config.json", read: false },
])("$path describes the model: $read", ({ path, read }) => {
  expect(describesModel(path)).toBe(read);
});

test("a pooling that leaves prompts out is refused where there are prompts", () => {
  const files = (prompts: object) => ({
    "modules.json": modules,
    "1_Pooling/config.json": { ...pooling, include_prompt: false },
    "config_sentence_transformers.json": { prompts },
  });
  expect(() => describeWith(files({ query: "query: " }))).toThrow(
    "1_Pooling/config.json: include_prompt: expected true, got false",
  );
  expect(describeWith(files({ query: "" })).manifest.pooling).toBe("mean");
});

test.each(["roberta", "data2vec-text", "xmod", "ibert", "luke", "roberta-prelayernorm"])(
  "%s has two positions more than it reads tokens",
  (type) => {
    const config = { ...bert, model_type: type, max_position_embeddings: 514, pad_token_id: 1 };
    expect(describeWith({ "config.json": config }).manifest.maxTokens).toBe(512);
  },
);

test("a module's settings are read where modules.json says they are", () => {
  const elsewhere = modules.map((each) => (each.path === "1_Pooling" ? { ...each, path: "head/" } : each));
  const cls = { word_embedding_dimension: 384, pooling_mode_mean_tokens: false, pooling_mode_cls_token: true };
  const { manifest } = describeWith({
    "modules.json": elsewhere,
    "head/config.json": cls,
    "1_Pooling/config.json": pooling,
  });
  expect(manifest.pooling).toBe("cls");
});

test.each(["bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"])(
  "sentence_%s_config.json is the Transformer's own file",
  (name) => {
    const { manifest } = describeWith({
      [`sentence_${name}_config.json`]: { max_seq_length: 64, do_lower_case: true },
    });
    expect(manifest).toMatchObject({ maxTokens: 64, lowercase: true });
  },
);

test.each([
  { type: "bert", first: 0 },
  { type: "roberta", first: 2 },
  { type: "mpnet", first: 2 },
])("the first token of $type has the position $first", ({ type, first }) => {
  const config = { ...bert, model_type: type, pad_token_id: 1 };
  expect(describeWith({ "config.json": config }).manifest.firstPosition).toBe(first);
});
