import { expect, test } from "bun:test";
import { tenantOfClaims } from "#agent/access/tenant-of-claims.ts";

const told = new Map([
  ["red", { suspended: false }],
  ["blue", { suspended: true }],
]);
const known = { told: (name: string) => told.get(name), isConfigured: (name: string) => name === "own" };

test.each<[string, object, Record<string, string[]>, object]>([
  ["names a tenant", { tenant: "red" }, {}, { tenant: "red", role: "embed", name: "token of ci" }],
  ["names one of the configuration", { tenant: ["own"] }, {}, { tenant: "own" }],
  ["names others beside it", { tenant: ["staff", "red", "red"] }, {}, { tenant: "red" }],
  ["is mapped to a tenant", { tenant: "group-7" }, { red: ["group-7"], own: ["group-8"] }, { tenant: "red" }],
  ["names a tenant where values are mapped", { tenant: "red" }, { red: ["group-7"] }, { code: "FORBIDDEN" }],
  [
    "names none",
    {},
    {},
    { code: "FORBIDDEN", message: "token of ci: expected the claim tenant to name a tenant known to this agent" },
  ],
  ["names an unknown one", { tenant: "green" }, {}, { code: "FORBIDDEN" }],
  ["is mapped to an unknown one", { tenant: "group-7" }, { green: ["group-7"] }, { code: "FORBIDDEN" }],
  [
    "names two",
    { tenant: ["red", "own"] },
    {},
    { code: "FORBIDDEN", message: "token of ci: expected the claim tenant to name one tenant, got red, own" },
  ],
  ["names a suspended one", { tenant: "blue" }, {}, { code: "TENANT_SUSPENDED" }],
])("a token whose claim %s", (_, claims, tenants, expected) => {
  expect(tenantOfClaims({ ...claims }, "token of ci", { tenantClaim: "tenant", tenants }, known)).toMatchObject(
    expected,
  );
});
