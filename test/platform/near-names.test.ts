import { expect, test } from "bun:test";
import { readCatalog } from "#agent/serving/models/pull/catalog.ts";
import { parseModelName } from "#agent/serving/models/pull/parse-model-name.ts";
import { nearNames } from "#platform/near-names.ts";

const known = ["all-MiniLM-L6-v2", "all-MiniLM-L12-v2", "bge-m3", "bge-small-en-v1.5", "acme/tiny"];

test.each([
  { written: "all-minilm-l6", near: ["all-MiniLM-L6-v2"] },
  { written: "all_MiniLM_L6_v2", near: ["all-MiniLM-L6-v2", "all-MiniLM-L12-v2"] },
  { written: "all-MinLM-L12-v2", near: ["all-MiniLM-L12-v2", "all-MiniLM-L6-v2"] },
  { written: "bgem3", near: ["bge-m3"] },
  { written: "bge-3m", near: ["bge-m3"] },
  { written: "bge-small", near: ["bge-small-en-v1.5"] },
  { written: "tiny", near: ["acme/tiny"] },
  { written: "gpt-4", near: [] },
  { written: "", near: [] },
  { written: "../../../..", near: [] },
  { written: "a".repeat(100_000), near: [] },
])("who writes $written may mean $near", ({ written, near }) => {
  expect(nearNames(written, known)).toEqual([...near]);
});

test("an unknown id is refused with the one that was meant", () => {
  expect(() => parseModelName("bge-smal-en-v1.5", readCatalog())).toThrow("; did you mean bge-small-en-v1.5");
  expect(() => parseModelName("qqqq", readCatalog())).toThrow(/of a repository$/);
});
