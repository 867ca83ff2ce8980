import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { needsRole } from "#platform/http/guard/roles.ts";
import { literals, orNull, strictObject } from "#platform/schema-parts.ts";
import { TenantName } from "#protocol/bounds.ts";
import { tenantModels, tenantRegions } from "#protocol/messages.ts";
import type { AccessPublisher } from "../access/access-publisher.ts";
import type { KeyRing, NewKey } from "../access/key-ring.ts";
import type { ControllerAccess } from "../access/open-access.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import { KeyName, KeyRole, KeyScope, keyIdPattern } from "../store/row-schemas.ts";
import { auditSourceOf, withReason } from "./audited-change.ts";
import { about, ErrorBody } from "./schemas.ts";

export const maxKeyLifeS = 10 * 365 * 86_400;
export const maxOverlapS = 90 * 86_400;
export const defaultOverlapS = 86_400;

const NewKeyBody = strictObject({
  name: { ...KeyName, description: "what the key is for" },
  role: {
    ...KeyRole,
    description:
      "viewer: reads; operator: also overrides and freezes; admin: everything; embed: a tenant's at the agents",
  },
  tenant: Type.Optional({ ...TenantName, description: "with role embed: tenant whose requests carry the key" }),
  models: Type.Optional({
    ...tenantModels,
    description: "with role embed: models that it may use; null or omitted: all of its tenant's",
  }),
  regions: Type.Optional({
    ...tenantRegions,
    description: "with role embed: regions in which texts may be computed; null or omitted: all of its tenant's",
  }),
  expiresInS: Type.Optional(
    Type.Integer({ minimum: 1, maximum: maxKeyLifeS, description: "seconds; omitted: it does not expire" }),
  ),
});

const RotateBody = strictObject({
  overlapS: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: maxOverlapS,
      description: `seconds for which the old key stays valid (default: ${defaultOverlapS})`,
    }),
  ),
});

const KeyView = Type.Object({
  id: Type.String({ description: "part of the key's text" }),
  name: Type.String(),
  role: literals("embed", "viewer", "operator", "admin"),
  createdAtMs: Type.Number(),
  expiresAtMs: orNull(Type.Number(), "null: it does not expire"),
  revokedAtMs: orNull(Type.Number(), "null: it was not revoked"),
  lastUsedAtMs: orNull(Type.Number(), "to the minute; null: never"),
  replaces: orNull(Type.String(), "id of the key it was rotated from; null: none"),
  tenant: orNull(Type.String(), "tenant that owns it; null: not a tenant's key"),
  scope: Type.Optional(orNull(KeyScope, "models and regions of a tenant's key; null: all of its tenant's")),
  state: literals("valid", "expired", "revoked"),
});
const MadeKey = Type.Unsafe<NewKey>(
  Type.Object({ key: KeyView, secret: Type.String({ description: "the key; it is shown only once" }) }),
);
const KeyParams = Type.Object({
  id: Type.String({ pattern: keyIdPattern, title: "the 8 characters after tm_ and a letter in a key" }),
});

const forAdmins = (summary: string, description?: string) => ({
  ...about("access", summary, description),
  ...needsRole("admin"),
});

/** Routes of the keys; the audit log never gets a key's text. */
export function keyRoutes({ keys, tenants }: ControllerAccess, publisher: AccessPublisher, audit: AuditLog) {
  const made = ({ key }: NewKey) => key;
  const told = async <T>(change: Promise<T>): Promise<T> => {
    const result = await change;
    await publisher.publish();
    return result;
  };
  return new Elysia()
    .get("/api/v1/keys", () => ({ keys: keys.list() }), {
      response: { 200: Type.Unsafe<{ keys: ReturnType<KeyRing["list"]> }>(Type.Object({ keys: Type.Array(KeyView) })) },
      detail: forAdmins("Keys of this API", "All issued keys, including expired ones; never the keys themselves."),
    })
    .post(
      "/api/v1/keys",
      ({ body, request }) => {
        const { name, role, expiresInS = null, tenant = null, models = null, regions = null } = body;
        const scope = models === null && regions === null ? null : { models, regions };
        if (tenant !== null) tenants.get(tenant);
        if (role === "embed") publisher.assertRoom(256 + Buffer.byteLength(JSON.stringify(scope)));
        const change = { action: "keys.create", target: name, before: null };
        return told(
          audit.change(
            auditSourceOf(request),
            change,
            () => keys.create({ name, role, expiresInS, tenant, scope }),
            made,
          ),
        );
      },
      {
        ...jsonBody(NewKeyBody),
        ...withReason,
        response: { 200: MadeKey, 400: ErrorBody, 404: ErrorBody, 409: ErrorBody, 413: ErrorBody, 503: ErrorBody },
        detail: forAdmins(
          "Make a key",
          "Once there is a key, the API requires one; the first must be an admin's unless others are configured.",
        ),
      },
    )
    .post(
      "/api/v1/keys/:id/rotate",
      ({ params, body, request }) => {
        const { id } = params;
        const change = { action: "keys.rotate", target: id, before: keys.view(id) };
        const act = () => keys.rotate(id, body.overlapS ?? defaultOverlapS);
        return told(audit.change(auditSourceOf(request), change, act, made));
      },
      {
        params: KeyParams,
        ...jsonBody(RotateBody),
        ...withReason,
        response: { 200: MadeKey, 400: ErrorBody, 404: ErrorBody, 409: ErrorBody, 503: ErrorBody },
        detail: forAdmins("Replace a key", "The old one stays valid for a while, so that clients need not stop."),
      },
    )
    .delete(
      "/api/v1/keys/:id",
      async ({ params, request }) => {
        const change = { action: "keys.revoke", target: params.id, before: keys.view(params.id) };
        return { key: await told(audit.change(auditSourceOf(request), change, () => keys.revoke(params.id))) };
      },
      {
        params: KeyParams,
        ...withReason,
        response: {
          200: Type.Unsafe<{ key: ReturnType<KeyRing["view"]> }>(Type.Object({ key: KeyView })),
          400: ErrorBody,
          404: ErrorBody,
          409: ErrorBody,
          503: ErrorBody,
        },
        detail: forAdmins("Revoke a key", "The key is refused from now on."),
      },
    );
}
