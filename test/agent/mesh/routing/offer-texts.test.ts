import { expect, test } from "bun:test";
import { offerTexts } from "#agent/mesh/routing/offer-texts.ts";
import type { EmbedRequest } from "#agent/serving/admission/embedder.ts";

const { signal } = new AbortController();
const request = (more: Partial<EmbedRequest> = {}): EmbedRequest => ({
  ...{ model: "m", inputs: ["a", "b"], inputsField: "input", dimensions: undefined, signal },
  ...more,
});
const model = { id: "m", prompts: { query: "q: ", document: "" }, defaultPrompt: null };
const kind = (value: string) => [{ field: "input_type", value }];

test.each([
  ["as they are", {}, model, ["a", "b"]],
  ["behind the named prompt", { promptName: "query" }, model, ["q: a", "q: b"]],
  ["behind the prompt of their kind", { textKinds: kind("search_query") }, model, ["q: a", "q: b"]],
  ["of a kind without a prompt", { textKinds: kind("document") }, model, ["a", "b"]],
  ["of a model that is not here", {}, null, ["a", "b"]],
] as const)("texts %s", (_name, more, its, expected) => {
  expect(offerTexts(request(more), its)).toEqual([...expected]);
});

test.each([
  ["token ids", { inputs: [[1]] }, model],
  ["pairs", { inputs: [{ first: "a", second: "b" }] }, model],
  ["sparse vectors", { sparse: true }, model],
  ["texts that must not be cut", { truncate: false }, model],
  ["texts cut at their beginning", { truncationSide: "left" }, model],
  ["texts cut at a length", { tokenLimits: [{ field: "max_length", tokens: 64 }] }, model],
  ["a model with a default prompt", {}, { ...model, defaultPrompt: "query" }],
  ["a named prompt of a model that is not here", { promptName: "query" }, null],
  ["a kind, of a model that is not here", { textKinds: kind("query") }, null],
] as const)("an offer is not asked for %s", (_name, more, its) => {
  expect(offerTexts(request(more as Partial<EmbedRequest>), its)).toBeNull();
});

test("a prompt that the model does not have is the client's mistake", () => {
  expect(() => offerTexts(request({ promptName: "frobnicate" }), model)).toThrow("prompt_name: expected one of");
});
