import { expect, test } from "bun:test";
import { exceededShape } from "#platform/http/body/json-shape.ts";

test.each([
  { name: "nothing", text: "", most: 0, deeper: false },
  { name: "a number", text: "1", most: 0, deeper: false },
  { name: "an array", text: "[]", most: 0, deeper: true },
  { name: "as deep as may be", text: "[[1]]", most: 2, deeper: false },
  { name: "one deeper", text: "[[[]]]", most: 2, deeper: true },
  { name: "objects and arrays", text: '{"a":[{"b":1}]}', most: 2, deeper: true },
  { name: "side by side", text: "[[],[],[],{}]", most: 2, deeper: false },
  { name: "brackets in a string", text: '["[[[[{{{{"]', most: 1, deeper: false },
  { name: "a quote in a string", text: '["\\"[[[["]', most: 1, deeper: false },
  { name: "a backslash before the closing quote", text: '["\\\\",[[]]]', most: 2, deeper: true },
  { name: "backslashes before a quote", text: '["\\\\\\"[[[["]', most: 1, deeper: false },
  { name: "a string that never ends", text: '["[[[[', most: 1, deeper: false },
  { name: "a string of one quote", text: '"', most: 0, deeper: false },
  { name: "millions deep", text: "[".repeat(2_000_000), most: 64, deeper: true },
])("$name", ({ text, most, deeper }) => {
  const reason = exceededShape(text, { maxDepth: most, maxContainers: 1e9, maxFields: 1e9, maxStrings: 1e9 });
  expect(reason).toBe(deeper ? `at most ${most} levels of arrays and objects` : null);
});

test.each([
  { name: "as many arrays as may be", text: "[[],[]]", reason: null },
  { name: "one more", text: "[[],[],[]]", reason: "at most 3 arrays and objects" },
  { name: "as many fields as may be", text: '{"a":1,"b":{"c":2}}', reason: null },
  { name: "one more field", text: '{"a":1,"b":{"c":2,"d":3}}', reason: "at most 3 fields" },
  { name: "colons and brackets in strings", text: '["::::[[[[{{{{"]', reason: null },
  { name: "as many texts as may be", text: '["","","a","\\"","",{"b":1}]', reason: null },
  { name: "one more text", text: '["","","a","\\"","",{"b":""}]', reason: "at most 6 texts" },
  { name: "many numbers", text: `[${"1,".repeat(100_000)}1]`, reason: null },
])("$name", ({ text, reason }) => {
  expect(exceededShape(text, { maxDepth: 64, maxContainers: 3, maxFields: 3, maxStrings: 6 })).toBe(reason);
});

test.each([
  { text: '{"a":1,"a":2}', twice: '"a"' },
  { text: '{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}', twice: null },
  { text: '{"a":{"b":1,"c":[{}],"b":2}}', twice: '"b"' },
  { text: '{"a":1,"\\u0061":2}', twice: '"a"' },
  { text: '{"a":{"b":1},"a":{"b":1}}', twice: '"a"' },
  { text: '{"a":"a","b":"a"}', twice: null },
  { text: '{"a" : 1 , "a" : 2}', twice: '"a"' },
  { text: '{"__proto__":1,"__proto__":2}', twice: '"__proto__"' },
  { text: '::::]]]}}}{"a":', twice: null },
])("a field given twice, of which the parser drops the first: $text", ({ text, twice }) => {
  const limits = { maxDepth: 64, maxContainers: 64, maxFields: 64, maxStrings: 64 };
  const reason = exceededShape(text, limits);
  if (twice === null) expect(reason ?? "").not.toContain('"a"');
  else expect(reason).toBe(`the field ${twice} once in an object, got it twice`);
});
