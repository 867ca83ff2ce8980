import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { needsRole } from "#platform/http/guard/roles.ts";
import { literals, orNull, strictObject } from "#platform/schema-parts.ts";
import { TenantName, text } from "#protocol/bounds.ts";
import { StoreReceipt, TenantJobId, tenantJobKinds } from "#protocol/messages.ts";
import type { AccessPublisher } from "../access/access-publisher.ts";
import { auditSourceOf, withReason } from "../api/audited-change.ts";
import { about, ErrorBody } from "../api/schemas.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { TenantJob, TenantReceipt } from "../store/store.ts";
import { type ExportedStore, type ExportPage, exportedStores, type TenantExport } from "./tenant-export.ts";
import type { TenantJobs, TenantJobView } from "./tenant-jobs.ts";

const Limit = Type.String({
  pattern: "^([1-9][0-9]{0,2}|1000)$",
  title: "a whole number from 1 to 1000",
  default: "100",
});

const JobView = Type.Unsafe<TenantJobView>(
  Type.Object({
    id: TenantJobId,
    kind: tenantJobKinds,
    tenant: Type.String({ description: "the tenant; its pseudonym once it is erased" }),
    pseudonym: Type.String({ description: "with erase: name under which its figures stay" }),
    createdMs: Type.Number(),
    doneMs: orNull(Type.Number(), "null: in progress"),
    state: literals("under way", "done"),
    agents: Type.Integer({ description: "number of agents known when it began" }),
    waiting: Type.Integer({ description: "number still to answer, including the controller" }),
    waitingFor: Type.Array(Type.String(), { description: "ids of up to 100 of these" }),
  }),
);
const Receipts = Type.Unsafe<TenantReceipt[]>(
  Type.Array(
    Type.Object({
      of: Type.String({ description: "(controller), or the id of an agent" }),
      atMs: Type.Number(),
      state: literals("done", "retired"),
      stores: Type.Array(StoreReceipt),
    }),
  ),
);
const JobAnswer = Type.Object({ job: JobView });
const JobParams = Type.Object({ id: TenantJobId });
const errors = { 400: ErrorBody, 404: ErrorBody, 409: ErrorBody, 503: ErrorBody };

const forAdmins = (summary: string, description?: string) => ({
  ...about("access", summary, description),
  ...needsRole("admin"),
});

export interface TenantJobRoutesParts {
  readonly jobs: TenantJobs;
  readonly contents: TenantExport;
  readonly publisher: Pick<AccessPublisher, "publish">;
  readonly audit: AuditLog;
}

/** Routes by which a tenant's data is erased or exported. */
export function tenantJobRoutes(parts: TenantJobRoutesParts) {
  return new Elysia().use(beginRoutes(parts)).use(readRoutes(parts));
}

function beginRoutes({ jobs, publisher, audit }: TenantJobRoutesParts) {
  const begin = async (kind: TenantJob["kind"], tenant: string, request: Request) => {
    const change = { action: `tenants.${kind}`, target: tenant, before: null };
    // Without the pseudonym, which the log would link to the name.
    const afterOf = ({ id }: TenantJobView) => ({ job: id });
    const job = await audit.change(auditSourceOf(request), change, () => jobs.begin(kind, tenant), afterOf);
    await publisher.publish();
    // Not awaited: it takes its time where there is much.
    void jobs.run().then(() => publisher.publish());
    return { job };
  };
  const route = {
    params: Type.Object({ id: TenantName }),
    ...withReason,
    response: { 200: JobAnswer, ...errors },
  };
  return new Elysia()
    .post("/api/v1/tenants/:id/erase", ({ params: { id }, request }) => begin("erase", id, request), {
      ...route,
      detail: forAdmins(
        "Erase a tenant's data",
        "Deletes the tenant with its keys, and replaces its name with a pseudonym in all records, here and at every agent. Runs as a job until all have answered.",
      ),
    })
    .post("/api/v1/tenants/:id/export", ({ params: { id }, request }) => begin("export", id, request), {
      ...route,
      detail: forAdmins(
        "Export a tenant's data",
        "Runs as a job, which is done when every agent has sent its part. The contents can be read before that.",
      ),
    });
}

function readRoutes({ jobs, contents }: TenantJobRoutesParts) {
  return new Elysia()
    .get("/api/v1/tenant-jobs", ({ query }) => ({ jobs: jobs.list().slice(0, Number(query.limit)) }), {
      query: strictObject({ limit: Limit }),
      response: { 200: Type.Object({ jobs: Type.Array(JobView) }), 400: ErrorBody },
      detail: forAdmins("Erasures and exports of tenants, newest first"),
    })
    .get(
      "/api/v1/tenant-jobs/:id",
      async ({ params: { id }, query }) => ({
        job: jobs.view(id),
        receipts: await jobs.receipts(id, query.after ?? "", Number(query.limit)),
      }),
      {
        params: JobParams,
        query: strictObject({
          after: Type.Optional({ ...text(64), description: "id of the last receipt on the previous page" }),
          limit: Limit,
        }),
        response: { 200: Type.Object({ job: JobView, receipts: Receipts }), 400: ErrorBody, 404: ErrorBody },
        detail: forAdmins("One job, with the answers of each store of the controller and the agents"),
      },
    )
    .get(
      "/api/v1/tenant-jobs/:id/records",
      async ({ params: { id }, query: { store, after = "", limit } }): Promise<ExportPage> => {
        const { kind, tenant } = jobs.view(id);
        if (kind === "erase") return { records: [], next: null };
        return contents.page(tenant, store, after, Number(limit));
      },
      {
        params: JobParams,
        query: strictObject({
          store: Type.Unsafe<ExportedStore>(literals(...exportedStores)),
          after: Type.Optional({ ...text(64), description: "next from the previous page" }),
          limit: Limit,
        }),
        response: {
          200: Type.Unsafe<ExportPage>(
            Type.Object({
              records: Type.Array(Type.Unknown({ description: "a record, by its store" })),
              next: orNull(Type.String(), "start of the next page; null: there is none"),
            }),
          ),
          400: ErrorBody,
          404: ErrorBody,
        },
        detail: forAdmins("Contents of an export, store by store", "Empty for an erasure."),
      },
    );
}
