import { type Static, Type } from "@sinclair/typebox";
import { literals, strict } from "#platform/schema-parts.ts";
import { bounds, count, TenantName, TimeMs, text } from "../bounds.ts";
import { described } from "./fields.ts";

/** Max jobs that are under way at a time. */
export const maxTenantJobs = 32;

export const TenantJobId = Type.String({ pattern: "^[0-9a-z]{8}$" });

export const tenantJobKinds = literals("erase", "export");

/** Jobs for every agent, as the controller tells them with tenants and keys. */
export const TenantJobs = Type.Array(
  Type.Object(
    {
      id: described(TenantJobId, "names the job; it is done once, and its receipt repeated as long as the job is told"),
      kind: described(
        tenantJobKinds,
        "erase: the tenant's name is to leave all stores; export: all of it that waits here is to be sent",
      ),
      tenant: described(TenantName, "name of the tenant"),
      pseudonym: described(TenantName, "with erase: name under which its figures stay"),
    },
    strict,
  ),
  { maxItems: maxTenantJobs, description: "what is to be done with tenants' data at every agent; absent: nothing" },
);
export type TenantJobs = Static<typeof TenantJobs>;

/** Fates of a tenant's data in a store. */
export const tenantFates = literals("removed", "renamed", "kept", "exported");

/** Outcome at one store. */
export const StoreReceipt = Type.Object(
  {
    store: described(text(96), "the store, as in the data map"),
    fate: described(tenantFates, "what became of the tenant's data there"),
    records: described(count(bounds.count32), "records that it was about"),
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
  { maxItems: maxTenantJobs, description: "jobs with tenants' data that are done here; absent: none" },
);
export type TenantReceipts = Static<typeof TenantReceipts>;
