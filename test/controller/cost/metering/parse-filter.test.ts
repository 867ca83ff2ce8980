import { expect, test } from "bun:test";
import { parseFilter } from "#controller/cost/metering/parse-filter.ts";

test.each([
  ["", null],
  ['namespace:"shop"', [{ op: "eq", field: "namespace", value: "shop" }]],
  [
    'tenant!:"a+b"+label[env]~:""+node<~:"thor"',
    [
      { op: "not-eq", field: "tenant", value: "a+b" },
      { op: "contains", field: "label:env", value: "" },
      { op: "starts-with", field: "node", value: "thor" },
    ],
  ],
] as const)("%s", (text, filter) => expect(parseFilter(text)).toEqual(filter as never));

test.each([
  ["tenant:shop", /conditions such as/],
  ['tenant:"shop"+', /conditions such as/],
  ['tenant:"shop" node:"x"', /conditions such as/],
  ['tenant="shop"', /conditions such as/],
  ['label[]:"x"', /conditions such as/],
  ['tennant:"shop"', /one of .*tenant/],
])("%s is none", (text, expected) => {
  expect(parseFilter(text)).toEqual({ expected: expect.stringMatching(expected) });
});
