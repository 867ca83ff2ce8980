import { expect, test } from "bun:test";
import { hasRole, highestRole, neededRole, needsRole } from "#platform/http/guard/roles.ts";

test.each([
  [undefined, "viewer", false],
  ["viewer", "viewer", true],
  ["viewer", "operator", false],
  ["operator", "viewer", true],
  ["operator", "admin", false],
  ["admin", "operator", true],
  ["admin", "admin", true],
] as const)("a caller with role %p may do what needs %s: %p", (own, needed, may) => {
  expect(hasRole(own, needed)).toBe(may);
});

test("a route without a mark is read by viewers and changed by admins only", () => {
  expect(neededRole({ method: "GET" })).toBe("viewer");
  expect(neededRole({ method: "HEAD", hooks: {} })).toBe("viewer");
  expect(neededRole({ method: "POST", hooks: { detail: {} } })).toBe("admin");
  expect(neededRole({ method: "GET", hooks: { detail: needsRole("admin") } })).toBe("admin");
  expect(neededRole({ method: "POST", hooks: { detail: needsRole("operator") } })).toBe("operator");
});

test("of several roles the highest counts", () => {
  expect(highestRole([])).toBeNull();
  expect(highestRole(["operator", "admin", "viewer"])).toBe("admin");
});
