import { expect, test } from "bun:test";
import { applyPrompt } from "#agent/serving/text/prompt/apply-prompt.ts";
import { decidePrompt, kindsOf } from "#agent/serving/text/prompt/decide-prompt.ts";

/** Prompts as models' own files, or the catalogue, have them. */
const models = {
  e5: { query: "query: ", passage: "passage: " },
  bge: { query: "Represent this sentence for searching relevant passages: " },
  qwen: { query: "Instruct: search\nQuery:", document: "" },
  nomic: {
    query: "search_query: ",
    document: "search_document: ",
    classification: "classification: ",
    clustering: "clustering: ",
  },
  jina: { "retrieval.query": "the query: ", "retrieval.passage": "the passage: ", "text-matching": "", separation: "" },
  gemma: { query: "q: ", document: "d: ", STS: "sts: ", Clustering: "c: ", "Retrieval-query": "rq: " },
  stella: { s2p_query: "s2p: ", s2s_query: "s2s: " },
  bare: {},
  empty: { query: "", document: "" },
} as const;
type Model = keyof typeof models;
const modelOf = (name: Model) => ({
  id: name,
  prompts: models[name] as Readonly<Record<string, string>>,
  defaultPrompt: null,
});

test.each<[Model, string, string]>([
  ["e5", "query", "query: "],
  ["e5", "passage", "passage: "],
  ["e5", "document", "passage: "],
  ["e5", "search_query", "query: "],
  ["e5", "search_document", "passage: "],
  ["e5", "retrieval.query", "query: "],
  ["e5", "RETRIEVAL_DOCUMENT", "passage: "],
  ["bge", "query", models.bge.query],
  ["bge", "search_document", ""],
  ["qwen", "query", models.qwen.query],
  ["qwen", "passage", ""],
  ["nomic", "search_query", "search_query: "],
  ["nomic", "classification", "classification: "],
  ["nomic", "CLUSTERING", "clustering: "],
  ["nomic", "separation", "clustering: "],
  ["jina", "retrieval.passage", "the passage: "],
  ["jina", "query", "the query: "],
  ["jina", "text-matching", ""],
  ["jina", "clustering", ""],
  ["gemma", "SEMANTIC_SIMILARITY", "sts: "],
  ["gemma", "RETRIEVAL_QUERY", "rq: "],
  ["gemma", "clustering", "c: "],
  ["stella", "query", "s2p: "],
  ["stella", "similarity", "s2s: "],
  ["stella", "s2s_query", "s2s: "],
  ["bare", "query", ""],
  ["bare", "search_document", ""],
  ["bare", "classification", ""],
  ["empty", "query", ""],
  ["empty", "clustering", ""],
])("%s: %s", (name, value, prompt) => {
  const textKinds = [{ field: "input_type", value }];
  const { inputs, prompt: said } = applyPrompt(modelOf(name), { textKinds }, ["a"]);
  expect(inputs).toEqual([`${prompt}a`]);
  expect(said === null ? "" : models[name][said as never]).toEqual(prompt as never);
});

test.each<[Model, string, string]>([
  ["e5", "classification", "input_type: expected a kind for which e5 has a prompt (query, document), got"],
  ["bge", "clustering", "its prompts by name are"],
  ["nomic", "similarity", "(query, document, classification, clustering)"],
  ["stella", "document-ish", "input_type: expected a kind of text ("],
  ["bare", "image", "input_type: expected a kind of text (query, document, classification"],
  ["bare", "qurey", 'got "qurey"'],
  ["bare", "toString", 'got "toString"'],
  ["e5", "constructor", 'got "constructor"'],
])("%s refuses %s", (name, value, message) => {
  expect(() => applyPrompt(modelOf(name), { textKinds: [{ field: "input_type", value }] }, ["a"])).toThrow(message);
});

test("words that leave the kind open get the default prompt", () => {
  const model = { ...modelOf("e5"), defaultPrompt: "passage" };
  const textKinds = [{ field: "input_type", value: "text" }];
  expect(decidePrompt(model, { textKinds })).toMatchObject({ rule: "default", name: "passage" });
  expect(decidePrompt(modelOf("e5"), { textKinds })).toEqual({ kind: "plain", rule: "not-asked" });
});

test("a kind without a prompt of its own is not given the default one", () => {
  const model = { ...modelOf("bge"), defaultPrompt: "query" };
  expect(applyPrompt(model, { textKinds: [{ field: "task", value: "document" }] }, ["a"])).toEqual({
    inputs: ["a"],
    prompt: null,
  });
});

test("fields that ask for the same prompt agree, others are refused", () => {
  const wish = (promptName: string | undefined, ...values: string[]) => ({
    promptName,
    textKinds: values.map((value, place) => ({ field: ["input_type", "task"][place] as string, value })),
  });
  const model = modelOf("e5");
  expect(decidePrompt(model, wish("query", "search_query", "retrieval.query"))).toMatchObject({ name: "query" });
  expect(decidePrompt(model, wish(undefined, "query", "passage"))).toMatchObject({
    rule: "contradiction",
    field: "task",
  });
  expect(decidePrompt(model, wish("passage", "query"))).toMatchObject({ rule: "contradiction", field: "input_type" });
  expect(() => applyPrompt(model, wish("passage", "query"), ["a"])).toThrow("input_type: expected the same prompt");
});

test("token ids take no prompt, but a kind without one", () => {
  const ids = [[1, 2]];
  const of = (value: string) => ({ textKinds: [{ field: "task", value }] });
  expect(() => applyPrompt<unknown>(modelOf("e5"), of("query"), ids)).toThrow("task: expected none with token ids");
  expect(applyPrompt<unknown>(modelOf("qwen"), of("document"), ids).inputs).toBe(ids);
  expect(applyPrompt<unknown>(modelOf("bare"), of("query"), ids).inputs).toBe(ids);
});

test("kinds that can be asked for", () => {
  expect(kindsOf(modelOf("bge"))).toEqual(["query", "document"]);
  expect(kindsOf(modelOf("gemma"))).toEqual(["query", "document", "clustering", "similarity"]);
  expect(kindsOf(modelOf("bare")).length).toBeGreaterThan(7);
});

test.each([
  [{ promptName: "query" }, { kind: "prompt", rule: "named", name: "query", text: "query: ", field: "prompt_name" }],
  [
    { textKinds: [{ field: "task", value: "search_document" }] },
    { kind: "prompt", rule: "of-kind", name: "passage", text: "passage: ", field: "task" },
  ],
  [{ promptName: "frobnicate" }, { kind: "refused", rule: "unknown-prompt", field: "prompt_name", got: "frobnicate" }],
] as const)("%j is decided by its rule", (wish, expected) => {
  expect(decidePrompt(modelOf("e5"), wish)).toEqual(expected);
});

test("the first field that can't be obeyed is named, also beside one that can", () => {
  const textKinds = ["query", "frobnicate", "nonsense"].map((value, i) => ({ field: `f${i}`, value }));
  expect(decidePrompt(modelOf("e5"), { textKinds })).toMatchObject({ rule: "unknown-kind", field: "f1" });
});

test("a prompt for one side of a search says that the other has none", () => {
  const documents = { prompts: { passage: "passage: " }, defaultPrompt: null };
  const of = (value: string) => decidePrompt(documents, { textKinds: [{ field: "input_type", value }] });
  expect(of("query")).toEqual({ kind: "plain", rule: "other-side" });
  expect(of("document")).toMatchObject({ name: "passage" });
  expect(of("clustering")).toMatchObject({ rule: "no-prompt-of-kind", got: "clustering" });
  expect(kindsOf(documents)).toEqual(["query", "document"]);
});

test("an empty prompt and none are the same for fields that agree", () => {
  const textKinds = [{ field: "input_type", value: "document" }];
  expect(decidePrompt(modelOf("qwen"), { promptName: "document", textKinds })).toMatchObject({ name: "document" });
  expect(decidePrompt(modelOf("qwen"), { promptName: "query", textKinds })).toMatchObject({ rule: "contradiction" });
  const bge = [
    { field: "a", value: "document" },
    { field: "b", value: "passage" },
  ];
  expect(decidePrompt(modelOf("bge"), { textKinds: bge })).toEqual({ kind: "plain", rule: "other-side" });
});

test("of two names that differ in their writing only, the exact one counts, else the first", () => {
  const twice = { prompts: { Query: "first: ", query: "second: " }, defaultPrompt: null };
  expect(decidePrompt(twice, { textKinds: [{ field: "task", value: "query" }] })).toMatchObject({ text: "second: " });
  expect(decidePrompt(twice, { textKinds: [{ field: "task", value: "search_query" }] })).toMatchObject({
    text: "first: ",
  });
});

test("a default prompt that the model does not have is the model's fault, said by the field", () => {
  const broken = { prompts: { query: "q: " }, defaultPrompt: "lost" };
  expect(decidePrompt(broken, {})).toEqual({
    kind: "refused",
    rule: "unknown-prompt",
    field: "prompt_name",
    got: "lost",
  });
});

test("a model whose prompts are about no search takes neither queries nor documents", () => {
  const similar = { prompts: { STS: "sts: " }, defaultPrompt: null };
  const of = (value: string) => decidePrompt(similar, { textKinds: [{ field: "task", value }] });
  expect(of("query")).toMatchObject({ rule: "no-prompt-of-kind" });
  expect(of("document")).toMatchObject({ rule: "no-prompt-of-kind" });
  expect(of("text-matching")).toMatchObject({ name: "STS" });
  expect(decidePrompt(modelOf("bare"), { textKinds: [{ field: "task", value: "query" }] })).toEqual({
    kind: "plain",
    rule: "no-prompts",
  });
});
