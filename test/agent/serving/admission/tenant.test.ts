import { describe, expect, test } from "bun:test";
import { createTenantWeights } from "#agent/serving/admission/tenant.ts";
import { ServingConfig } from "#agent/serving/serving-config.ts";
import { parseConfig } from "#platform/files/read-config.ts";

const configured = (tenants: unknown) => parseConfig(ServingConfig, { tenants }, "the test").tenants;

test("a tenant's weight is what is configured, and 1 for all others", () => {
  const weightOf = createTenantWeights(configured({ red: { weight: 2.5 }, blue: {} }));
  expect(["red", "blue", "default", "__proto__", "constructor"].map(weightOf)).toEqual([2.5, 1, 1, 1, 1]);
});

describe("is refused with the field at fault:", () => {
  test.each([
    { name: "no weight at all", tenants: { red: { weight: 0 } }, field: "tenants.red.weight" },
    { name: "more than a hundred times another's", tenants: { red: { weight: 101 } }, field: "tenants.red.weight" },
    { name: "what is no setting", tenants: { red: { wait: 1 } }, field: "tenants.red.wait" },
    { name: "a name that no key can have", tenants: { "red one": {} }, field: "red one" },
    {
      name: "more tenants than keys",
      tenants: Object.fromEntries(Array.from({ length: 257 }, (_, index) => [`t${index}`, {}])),
      field: "tenants",
    },
  ])("$name", ({ tenants, field }) => {
    expect(() => configured(tenants)).toThrow(field);
  });
});
