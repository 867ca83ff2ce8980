import { expect, test } from "bun:test";
import { createCallerCheck } from "#platform/http/guard/identify-caller.ts";

const identify = createCallerCheck(["plain", { key: "red-1", tenant: "red" }, { key: "red-2", tenant: "red" }]);

test.each([
  ["Bearer plain", { tenant: null }],
  ["bearer  red-1 ", { tenant: "red" }],
  ["Bearer red-2", { tenant: "red" }],
  ["Bearer red", null],
  ["Bearer ", null],
  ["Basic red-1", null],
  ["red-1", null],
  ["", null],
  [null, null],
])("%p is %p", (header, caller) => {
  expect(identify(header)).toEqual(caller);
});

test.each([
  [
    "of two tenants",
    [
      { key: "k", tenant: "a" },
      { key: "k", tenant: "b" },
    ],
    /both a and b/,
  ],
  ["of a tenant and of none", ["k", { key: "k", tenant: "b" }], /both no tenant and b/],
] as const)("a key %s is refused", (_name, keys, message) => {
  expect(() => createCallerCheck(keys)).toThrow(message);
});

test("the same key twice for the same tenant is no mistake", () => {
  const keys = ["k", "k", { key: "t", tenant: "a" }, { key: "t", tenant: "a" }];
  expect(createCallerCheck(keys)("Bearer t")).toEqual({ tenant: "a" });
});
