import { expect, test } from "bun:test";
import { createTokenLocator } from "#agent/serving/text/locate-tokens.ts";

test.each([
  { name: "no tokens", text: "abc", tokens: [], places: [] },
  { name: "no text", text: "", tokens: ["a"], places: [null] },
  {
    name: "words and their parts",
    text: "unhappily so",
    tokens: ["un", "##happily", "so"],
    places: ["un", "happily", "so"],
  },
  { name: "case and accents left aside", text: "Éclair CAFÉ", tokens: ["eclair", "cafe"], places: ["Éclair", "CAFÉ"] },
  { name: "the same word twice", text: "a b a", tokens: ["a", "b", "a"], places: ["a", "b", "a"] },
  {
    name: "SentencePiece's blanks",
    text: "two robots",
    tokens: ["▁two", "▁robot", "s"],
    places: ["two", "robot", "s"],
  },
  { name: "byte-level blanks", text: "two robots", tokens: ["two", "Ġrobots"], places: ["two", "robots"] },
  { name: "a word the vocabulary doesn't have", text: "a 🤖 b", tokens: ["a", "[UNK]", "b"], places: ["a", null, "b"] },
  { name: "a character of two code units", text: "x🤖y", tokens: ["x", "🤖", "y"], places: ["x", "🤖", "y"] },
  { name: "nothing but a marker", text: "a b", tokens: ["▁", "a"], places: [null, "a"] },
  { name: "a word far behind is another", text: `${"x ".repeat(50)}end`, tokens: ["end"], places: [null] },
])("$name", ({ text, tokens, places }) => {
  const found = tokens.map(createTokenLocator(text)).map((place) => place && text.slice(place.start, place.stop));
  expect(found).toEqual([...places]);
});
