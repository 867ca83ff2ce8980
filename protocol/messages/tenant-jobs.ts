import { type Static, Type } from "@sinclair/typebox";
import { literals, strict } from "#platform/schema-parts.ts";
import { bounds, count, TenantName, TimeMs, text } from "../bounds.ts";
import { described } from "./fields.ts";

/** Maximum jobs that are under way at a time. */
export const maxTenantJobs = 32;

export const TenantJobId = Type.String({ pattern: "^[0-9a-z]{8}$" });

export const tenantJobKinds = literals("erase", "export");

/** Jobs for every agent, as the controller tells them with tenants and keys. */
export const TenantJobs = Type.Array(
  Type.Object(
    {
      id: described(
        TenantJobId,
        "id of the job; it is done once, and its receipt is repeated as long as the job is listed",
      ),
      kind: described(
        tenantJobKinds,
        "erase: remove the tenant's name from all stores; export: send all of its data that is still here",
      ),
      tenant: described(TenantName, "name of the tenant"),
      pseudonym: described(TenantName, "with erase: name under which its figures stay"),
    },
    strict,
  ),
  { maxItems: maxTenantJobs, description: "jobs on tenants' data for every agent; absent: none" },
);
export type TenantJobs = Static<typeof TenantJobs>;

/** Fates of a tenant's data in a store. */
const tenantFates = literals("removed", "renamed", "kept", "exported");

/** Outcome at one store. */
export const StoreReceipt = Type.Object(
  {
    store: described(text(96), "the store, as in the data map"),
    fate: described(tenantFates, "what was done with the tenant's data there"),
    records: described(count(bounds.count32), "number of records concerned"),
  },
  strict,
);
export type StoreReceipt = Static<typeof StoreReceipt>;

export const TenantReceipts = Type.Array(
  Type.Object(
    {
      id: described(TenantJobId, "the job"),
      atMs: described(TimeMs, "when it was done, by the agent's clock"),
      stores: Type.Array(StoreReceipt, { maxItems: 32, description: "each store of this agent that can name tenants" }),
    },
    strict,
  ),
  { maxItems: maxTenantJobs, description: "completed jobs on tenants' data; absent: none" },
);
export type TenantReceipts = Static<typeof TenantReceipts>;
