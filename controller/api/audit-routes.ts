import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { needsRole } from "#platform/http/guard/roles.ts";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import type { AuditHead, AuditRow } from "../audit/audit-check.ts";
import { AuditEntry, AuditHash } from "../audit/audit-entry.ts";
import type { AuditStore } from "../store/store.ts";
import { about, ErrorBody } from "./schemas.ts";

const AuditQuery = strictObject({
  after: Type.Optional(
    Type.String({ pattern: "^[0-9]{1,15}$", title: "return entries after the one with this seq; omitted: the newest" }),
  ),
  limit: Type.String({ pattern: "^([1-9][0-9]{0,2}|1000)$", title: "a whole number from 1 to 1000", default: "100" }),
});

/** Part of the audit log, in its order. */
export interface AuditPage {
  readonly entries: readonly AuditRow[];
  /** Newest entry of the log; null: it is empty. */
  readonly head: AuditHead | null;
}

const Page = Type.Unsafe<AuditPage>(
  Type.Object({
    entries: Type.Array(
      Type.Object({ seq: Type.Integer(), hash: Type.String(), entry: orNull(AuditEntry, "null: it can't be read") }),
    ),
    head: orNull(Type.Object({ seq: Type.Integer(), hash: AuditHash }), "the newest entry; null: the log is empty"),
  }),
);

export async function auditPage(store: AuditStore, afterSeq: number | null, limit: number): Promise<AuditPage> {
  return { entries: await store.auditEntries(afterSeq, limit), head: await store.auditHead() };
}

export function auditRoutes(store: AuditStore) {
  return new Elysia().get(
    "/api/v1/audit",
    ({ query }) => auditPage(store, query.after === undefined ? null : Number(query.after), Number(query.limit)),
    {
      query: AuditQuery,
      response: { 200: Page, 400: ErrorBody },
      detail: {
        ...about(
          "access",
          "Audit log",
          "Changes made by people and programs; each entry contains the hash of the previous one.",
        ),
        ...needsRole("admin"),
      },
    },
  );
}
