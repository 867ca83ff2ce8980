import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { needsRole } from "#platform/http/guard/roles.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { TenantName } from "#protocol/bounds.ts";
import type { AccessPublisher } from "../access/access-publisher.ts";
import type { ControllerAccess } from "../access/open-access.ts";
import type { TenantCeilings } from "../access/tenant-ceilings.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { TenantJobs } from "../privacy/tenant-jobs.ts";
import { TenantSettings } from "../store/row-schemas.ts";
import type { Tenant } from "../store/store.ts";
import { auditSourceOf, withReason } from "./audited-change.ts";
import { CeilingView, type ShownCeiling, shownCeiling } from "./ceiling-view.ts";
import { about, ErrorBody } from "./schemas.ts";

const settings = Type.Partial(TenantSettings).properties;

const NewTenantBody = strictObject({ id: { ...TenantName, description: "name of the tenant" }, ...settings });
const ChangedTenantBody = strictObject(settings, { minProperties: 1 });
const TenantParams = Type.Object({ id: TenantName });

const TenantView = Type.Unsafe<Tenant>(
  Type.Object({ id: Type.String(), createdAtMs: Type.Number(), settings: TenantSettings }),
);
const ListedTenantView = Type.Unsafe<ListedTenant>(
  Type.Object({
    ...{ id: Type.String(), createdAtMs: Type.Number(), settings: TenantSettings },
    ceilings: Type.Array(CeilingView, { description: "limits imposed by budgets; the lowest counts" }),
  }),
);
const TenantAnswer = Type.Object({ tenant: TenantView });
const errors = { 400: ErrorBody, 404: ErrorBody, 409: ErrorBody, 503: ErrorBody };
/** More models or regions than may be are too large. */
const bodyErrors = { ...errors, 413: ErrorBody };

const forAdmins = (summary: string, description?: string) => ({
  ...about("access", summary, description),
  ...needsRole("admin"),
});

/** Maximum length of a tenant's settings as JSON in the published document. */
const settingsBytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value)) + 256;

/** Tenant with the limits that budgets put on it. */
export type ListedTenant = Tenant & { readonly ceilings: readonly ShownCeiling[] };

export interface TenantRoutesParts extends Pick<ControllerAccess, "tenants" | "keys"> {
  readonly jobs: Pick<TenantJobs, "assertNotErasing" | "reuseName">;
  readonly ceilings: Pick<TenantCeilings, "list">;
  readonly publisher: AccessPublisher;
  readonly audit: AuditLog;
}

/** Routes of the tenants; each change is published to the agents. */
export function tenantRoutes({ tenants, keys, jobs, ceilings, publisher, audit }: TenantRoutesParts) {
  const withCeilings = (tenant: Tenant): ListedTenant => ({
    ...tenant,
    ceilings: ceilings.list().flatMap((each) => (each.tenant === tenant.id ? [shownCeiling(each)] : [])),
  });
  return new Elysia()
    .get("/api/v1/tenants", () => ({ tenants: tenants.list().map(withCeilings) }), {
      response: { 200: Type.Object({ tenants: Type.Array(ListedTenantView) }) },
      detail: about("access", "Tenants", "Tenants and their limits."),
    })
    .post(
      "/api/v1/tenants",
      async ({ body: { id, ...given }, request }) => {
        publisher.assertRoom(settingsBytes(given));
        jobs.assertNotErasing(id);
        const change = { action: "tenants.create", target: id, before: null };
        const create = async () => {
          const made = await tenants.create(id, given);
          await jobs.reuseName(id);
          return made;
        };
        const tenant = await audit.change(auditSourceOf(request), change, create);
        await publisher.publish();
        return { tenant };
      },
      {
        ...jsonBody(NewTenantBody),
        ...withReason,
        response: { 200: TenantAnswer, ...bodyErrors },
        detail: forAdmins("Make a tenant", "Its keys are created with POST /api/v1/keys, role embed."),
      },
    )
    .patch(
      "/api/v1/tenants/:id",
      async ({ params: { id }, body, request }) => {
        const before = tenants.get(id);
        publisher.assertRoom(settingsBytes(body));
        const change = { action: "tenants.update", target: id, before };
        const tenant = await audit.change(auditSourceOf(request), change, () => tenants.update(id, body));
        await publisher.publish();
        return { tenant };
      },
      {
        params: TenantParams,
        ...jsonBody(ChangedTenantBody),
        ...withReason,
        response: { 200: TenantAnswer, ...bodyErrors },
        detail: forAdmins("Change a tenant", "Only the given settings change; suspended: true refuses its requests."),
      },
    )
    .delete(
      "/api/v1/tenants/:id",
      async ({ params: { id }, request, set }) => {
        const change = { action: "tenants.delete", target: id, before: tenants.get(id) };
        const remove = async () => {
          await keys.revokeOf(id);
          await tenants.remove(id);
        };
        await audit.change(auditSourceOf(request), change, remove, () => null);
        await publisher.publish();
        set.status = 204;
      },
      {
        params: TenantParams,
        ...withReason,
        response: { 204: Type.Void({ description: "It is deleted." }), ...errors },
        detail: {
          ...forAdmins(
            "Delete a tenant",
            "Its keys are revoked; its records are kept as long as others, unless they are erased.",
          ),
        },
      },
    );
}
