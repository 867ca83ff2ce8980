import { describe, expect, test } from "bun:test";
import { tokenTemplates } from "#agent/serving/text/token-template.ts";
import { asSecondText } from "#agent/serving/worker/token-types.ts";

const special = (id: string, type = 0) => ({ SpecialToken: { id, type_id: type } });
const sequence = (id: string, type = 0) => ({ Sequence: { id, type_id: type } });
const tokens = { special_tokens: { "[CLS]": { id: "[CLS]", ids: [3] }, "[SEP]": { id: "[SEP]", ids: [4, 5] } } };
const byteLevel = { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true };
const none = { before: [], between: [], after: [] };

/** Expected values are those of Hugging Face's own library for two texts. */
test.each([
  { name: "none", definition: null, pair: { ...none, secondType: 1 as const } },
  { name: "bytes", definition: byteLevel, pair: { ...none, secondType: 1 as const } },
  {
    name: "BERT's",
    definition: { type: "BertProcessing", sep: ["[SEP]", 4], cls: ["[CLS]", 3] },
    pair: { before: [3], between: [4], after: [asSecondText(4)], secondType: 1 as const },
  },
  {
    name: "RoBERTa's, with one type of tokens",
    definition: { type: "RobertaProcessing", sep: ["[SEP]", 4], cls: ["[CLS]", 3], trim_offsets: true },
    pair: { before: [3], between: [4, 4], after: [4], secondType: 0 as const },
  },
  {
    name: "a template, within a sequence",
    definition: {
      type: "Sequence",
      processors: [
        byteLevel,
        {
          type: "TemplateProcessing",
          ...tokens,
          single: [special("[CLS]"), sequence("A")],
          pair: [special("[CLS]"), sequence("A"), sequence("B", 1), special("[SEP]", 1)],
        },
      ],
    },
    pair: { before: [3], between: [], after: [asSecondText(4), asSecondText(5)], secondType: 1 as const },
  },
])("$name", ({ definition, pair }) => {
  expect(tokenTemplates(definition).pair).toEqual(pair);
});

describe("a post-processor that can't be obeyed is refused with its place", () => {
  const template = {
    type: "TemplateProcessing",
    ...tokens,
    single: [sequence("A")],
    pair: [sequence("A"), sequence("B")],
  };
  const bert = { type: "BertProcessing", sep: ["[SEP]", 4], cls: ["[CLS]", 3] };
  test.each([
    { name: "another type", definition: { type: "Reverse" }, says: 'post_processor: "Reverse"' },
    { name: "another option", definition: { ...bert, mask: 1 }, says: "post_processor.mask" },
    {
      name: "a special token of a third type, as XLNet's",
      definition: { ...template, single: [sequence("A"), special("[CLS]", 2)] },
      says: "post_processor.single.1.SpecialToken.type_id: expected 0 or 1, got 2",
    },
    {
      name: "a second text of a third type",
      definition: { ...template, pair: [sequence("A"), sequence("B", 2)] },
      says: "post_processor.pair.1.Sequence.type_id: expected 0 or 1, got 2",
    },
    { name: "a token without an id", definition: { ...bert, sep: "[SEP]" }, says: "post_processor.sep" },
    {
      name: "the second text before the first",
      definition: { ...template, pair: [sequence("B"), sequence("A")] },
      says: "post_processor.pair: expected the texts A and B",
    },
    {
      name: "a token that is not listed",
      definition: { ...template, single: [special("[MASK]"), sequence("A")] },
      says: "post_processor.single.0",
    },
    {
      name: "two that add tokens",
      definition: { type: "Sequence", processors: [bert, bert] },
      says: "post_processor.processors",
    },
  ])("$name", ({ definition, says }) => {
    expect(() => tokenTemplates(definition)).toThrow(says);
  });
});
