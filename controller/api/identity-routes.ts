import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { senderOf } from "#platform/http/guard/request-caller.ts";
import { openRoute } from "#platform/http/open-route.ts";
import { literals, orNull, strictObject } from "#platform/schema-parts.ts";
import { Identifier, text } from "#protocol/bounds.ts";
import { AnswerBody, TokenId } from "#protocol/identity/join-messages.ts";
import { SignedStatement } from "#protocol/identity/signed-statement.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { RecordJoin } from "../identity/devices.ts";
import type { FleetIdentity } from "../identity/fleet-identity.ts";
import type { Device, StoredJoinToken } from "../store/store.ts";
import { auditSourceOf, withReason } from "./audited-change.ts";
import { AgentParams, about, ErrorBody } from "./schemas.ts";

const dayS = 86_400;

const NewTokenBody = strictObject({
  ttlS: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 365 * dayS, description: "seconds for which it is valid; omitted: an hour" }),
  ),
  uses: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 100_000,
      description: "number of devices that may join with it; omitted: one",
    }),
  ),
  region: Type.Optional({ ...text(64), description: "region named in their certificates; left out: none" }),
  approved: Type.Optional(Type.Boolean({ description: "true: they need no approval; omitted: they do" })),
});

const TokenView = Type.Object({
  id: Type.String({ description: "names the token; it is no secret" }),
  region: Type.String({ description: "region named in certificates; empty: none" }),
  approved: Type.Boolean({ description: "true: devices that join with it need no approval" }),
  usesLeft: Type.Integer({ description: "number of devices that may still join with it" }),
  createdMs: Type.Number(),
  expiresMs: Type.Number(),
  revokedMs: orNull(Type.Number(), "null: it was not revoked"),
});

const DeviceView = Type.Object({
  agentId: Type.String(),
  // Elysia infers no type from a union whose members are not a literal tuple.
  state: Type.Unsafe<Device["state"]>(literals("pending", "joined", "revoked")),
  region: Type.String({ description: "region named in its certificate; empty: none" }),
  tokenId: Type.String({ description: "token it joined with" }),
  requestedMs: Type.Number({ description: "when it asked to join" }),
  sinceMs: Type.Number({ description: "start of its present state" }),
  notAfterMs: orNull(Type.Number(), "expiry of its certificate; null: it has none"),
  reason: Type.String({ description: "of a revocation" }),
});

const RevokeBody = strictObject({ reason: Type.Optional({ ...text(512), description: "reason, for people to read" }) });

function tokenView({ id, region, isApproved, usesLeft, createdMs, expiresMs, revokedMs }: StoredJoinToken) {
  return { id, region, approved: isApproved, usesLeft, createdMs, expiresMs, revokedMs };
}

function deviceView(device: Device) {
  const { agentId, state, region, tokenId, requestedMs, sinceMs, notAfterMs, reason } = device;
  return { agentId, state, region, tokenId, requestedMs, sinceMs, notAfterMs, reason };
}

const DeviceQuery = strictObject({
  after: Type.Optional({ ...Identifier, title: "next from the previous page; omitted: from the beginning" }),
  limit: Type.String({ pattern: "^([1-9][0-9]{0,2}|1000)$", title: "a whole number from 1 to 1000", default: "100" }),
});

/** Page of the devices whose ids come after the given one, in their order. */
function devicePage(all: readonly Device[], after: string, limit: number) {
  const left = all
    .filter(({ agentId }) => agentId > after)
    .sort((one, other) => (one.agentId < other.agentId ? -1 : 1));
  const devices = left.slice(0, limit).map(deviceView);
  return { devices, next: left.length > limit ? (devices.at(-1)?.agentId ?? null) : null };
}

/** Routes by which devices join and renew; what they send is signed, so that they need no API key. */
function deviceRoutes({ devices }: FleetIdentity, audit: AuditLog) {
  const refusals = { 400: ErrorBody, 403: ErrorBody, 429: ErrorBody, 503: ErrorBody };
  const recordJoin =
    (request: Request): RecordJoin =>
    ({ token, agentId, before }, act) => {
      const source = { name: `token ${token}`, from: senderOf(request) ?? "unknown", reason: null };
      return audit.change(source, { action: "devices.join", target: agentId, before }, act);
    };
  return new Elysia()
    .post("/api/v1/identity/join", ({ body, request }) => devices.join(body, recordJoin(request)), {
      ...jsonBody(SignedStatement),
      response: { 200: AnswerBody, ...refusals },
      detail: {
        ...about(
          "identity",
          "Join the fleet",
          "The statement is signed with the key of a join token, the answer with that of the fleet's authority; the token itself is not sent. Repeating the request for the same key gives the same answer.",
        ),
        ...openRoute,
      },
    })
    .post("/api/v1/identity/renew", ({ body }) => devices.renew(body), {
      ...jsonBody(SignedStatement),
      response: { 200: AnswerBody, ...refusals },
      detail: {
        ...about("identity", "Renew a certificate", "The statement is signed with the key of the present certificate."),
        ...openRoute,
      },
    });
}

/** Routes by which operators decide who takes part. */
export function identityRoutes(identity: FleetIdentity, audit: AuditLog) {
  return new Elysia()
    .use(deviceRoutes(identity, audit))
    .use(tokenRoutes(identity, audit))
    .use(approvalRoutes(identity, audit));
}

const errors = { 400: ErrorBody, 404: ErrorBody, 503: ErrorBody };

function tokenRoutes({ tokens }: FleetIdentity, audit: AuditLog) {
  const viewOf = (id: string) => {
    const token = tokens.of(id);
    return token === null ? null : tokenView(token);
  };
  return new Elysia()
    .get("/api/v1/join-tokens", () => ({ tokens: tokens.list().map(tokenView) }), {
      response: { 200: Type.Object({ tokens: Type.Array(TokenView) }) },
      detail: about("identity", "Join tokens", "Expired ones stay listed for 30 days."),
    })
    .post(
      "/api/v1/join-tokens",
      async ({ body: { ttlS = 3600, uses = 1, region = "", approved = false }, request }) => {
        const change = { action: "tokens.create", target: region === "" ? "any region" : region, before: null };
        const act = () => tokens.create({ ttlS, uses, region, isApproved: approved });
        const made = await audit.change(auditSourceOf(request), change, act, ({ token }) => tokenView(token));
        return { token: made.text, ...tokenView(made.token) };
      },
      {
        ...jsonBody(NewTokenBody),
        ...withReason,
        response: {
          200: Type.Intersect([
            Type.Object({ token: Type.String({ description: "the token; it is shown only once" }) }),
            TokenView,
          ]),
          400: ErrorBody,
          409: ErrorBody,
          503: ErrorBody,
        },
        detail: about("identity", "Create a join token"),
      },
    )
    .delete(
      "/api/v1/join-tokens/:id",
      async ({ params: { id }, request }) => {
        const change = { action: "tokens.revoke", target: id, before: viewOf(id) };
        return tokenView(await audit.change(auditSourceOf(request), change, () => tokens.revoke(id), tokenView));
      },
      {
        params: Type.Object({ id: TokenId }),
        ...withReason,
        response: { 200: TokenView, ...errors },
        detail: about("identity", "Revoke a join token", "Devices that have joined with it stay in the fleet."),
      },
    );
}

function approvalRoutes({ devices }: FleetIdentity, audit: AuditLog) {
  const viewOf = (agentId: string) => {
    const device = devices.of(agentId);
    return device === null ? null : deviceView(device);
  };
  return new Elysia()
    .get("/api/v1/devices", ({ query }) => devicePage(devices.list(), query.after ?? "", Number(query.limit)), {
      query: DeviceQuery,
      response: {
        200: Type.Object({
          devices: Type.Array(DeviceView),
          next: orNull(Type.String(), "after of the next page; null: there is none"),
        }),
        400: ErrorBody,
      },
      detail: about("identity", "Devices that have joined, wait for approval, or were revoked", "By id, page by page."),
    })
    .post(
      "/api/v1/devices/:id/approve",
      async ({ params: { id }, request }) => {
        const change = { action: "devices.approve", target: id, before: viewOf(id) };
        return deviceView(await audit.change(auditSourceOf(request), change, () => devices.approve(id), deviceView));
      },
      {
        params: AgentParams,
        ...withReason,
        response: { 200: DeviceView, ...errors, 409: ErrorBody },
        detail: about("identity", "Approve a waiting device"),
      },
    )
    .post(
      "/api/v1/devices/:id/revoke",
      async ({ params: { id }, body: { reason = "" }, request }) => {
        const change = {
          action: "devices.revoke",
          target: id,
          before: viewOf(id),
          ...(reason === "" ? {} : { reason }),
        };
        const act = () => devices.revoke(id, reason);
        return deviceView(await audit.change(auditSourceOf(request), change, act, deviceView));
      },
      {
        ...jsonBody(RevokeBody),
        params: AgentParams,
        ...withReason,
        response: { 200: DeviceView, ...errors },
        detail: about(
          "identity",
          "Revoke a device",
          "Its sessions end and its certificates become invalid. It can join again with a token created later.",
        ),
      },
    );
}
