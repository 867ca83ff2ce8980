import { expect, test } from "bun:test";
import { Tenants } from "#controller/access/tenants.ts";
import { TenantExpiry } from "#controller/privacy/tenant-expiry.ts";
import { dayMs } from "#platform/time.ts";
import { createMemoryStore } from "../memory-store.ts";

test("a tenant's lines lose its name when its retention ends, day by day; others keep it", async () => {
  const asked: string[] = [];
  const nowMs = 100 * dayMs;
  const tenants = new Tenants({ store: createMemoryStore(), minuteDays: 14, nowMs: () => nowMs });
  await tenants.create("red", { retentionDays: 30 });
  await tenants.create("blue", {});
  const expiry = new TenantExpiry({
    tenants,
    store: {
      async renameCosts(tenant, name, fromMs, beforeMs) {
        asked.push(`${tenant} as ${name}: ${fromMs / dayMs} to ${beforeMs / dayMs}`);
        return 2;
      },
    },
  });
  expect(await expiry.run(nowMs)).toBe(2);
  await expiry.run(nowMs + 3 * dayMs);
  expect(asked).toEqual(["red as (expired): 0 to 70", "red as (expired): 69 to 73"]);
});

test("a retention that is shorter than that of minutes is refused", async () => {
  const tenants = new Tenants({ store: createMemoryStore(), minuteDays: 14, nowMs: () => 0 });
  expect(tenants.create("red", { retentionDays: 13 })).rejects.toThrow("retentionDays: expected at least 14");
  await tenants.create("red", { retentionDays: 14 });
  expect(tenants.update("red", { retentionDays: 1 })).rejects.toThrow("retentionDays: expected at least 14");
  expect((await tenants.update("red", { retentionDays: null })).settings.retentionDays).toBeNull();
});
