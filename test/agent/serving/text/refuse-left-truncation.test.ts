import { expect, test } from "bun:test";
import { refuseLeftTruncation } from "#agent/serving/text/refuse-left-truncation.ts";

test.each([
  { name: "no statement", definition: {}, config: {}, says: null },
  {
    name: "right in both",
    definition: { truncation: { direction: "Right" } },
    config: { truncation_side: "right" },
    says: null,
  },
  { name: "no truncation in tokenizer.json", definition: { truncation: null }, config: {}, says: null },
  {
    name: "left in tokenizer_config.json",
    definition: {},
    config: { truncation_side: "left" },
    says: "truncation_side",
  },
  {
    name: "left in tokenizer.json",
    definition: { truncation: { direction: "Left" } },
    config: {},
    says: "truncation.direction",
  },
  // The reference reads the direction of tokenizer.json only where tokenizer_config.json has no side.
  {
    name: "right over left",
    definition: { truncation: { direction: "Left" } },
    config: { truncation_side: "right" },
    says: null,
  },
])("$name", ({ definition, config, says }) => {
  const check = () => refuseLeftTruncation(definition, config);
  if (says === null) expect(check).not.toThrow();
  else expect(check).toThrow(says);
});
