import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ServiceError } from "#platform/errors.ts";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { needsRole } from "#platform/http/guard/roles.ts";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import type { PolicyStatus } from "../scaling/policy/live-policy.ts";
import { dryRun } from "./acting/override-routes.ts";
import { EffectView, readEffect } from "./acting/read-effect.ts";
import type { ApiParts } from "./api-parts.ts";
import { auditSourceOf, withReason } from "./audited-change.ts";
import { about, ErrorBody } from "./schemas.ts";

const FreezeBody = strictObject({
  reason: Type.String({ minLength: 1, maxLength: 512 }),
  expiresInS: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 30 * 86_400,
      description: "seconds, at most 30 days; omitted: until ended",
    }),
  ),
  dryRun,
});

const FreezeView = Type.Object({ reason: Type.String(), sinceMs: Type.Number(), untilMs: orNull(Type.Number()) });
const FreezeState = Type.Object({ freeze: orNull(FreezeView) });
const FreezeChange = Type.Object({ freeze: orNull(FreezeView), effect: Type.Optional(EffectView) });

const PolicyView = Type.Unsafe<PolicyStatus>(
  Type.Object({
    path: Type.String(),
    name: Type.String(),
    mode: Type.String(),
    loadedAtMs: Type.Number(),
    problem: orNull(Type.String()),
    readings: Type.Array(Type.Unknown()),
    latest: orNull(Type.Record(Type.String(), Type.Unknown())),
  }),
);

export function safetyRoutes(parts: ApiParts) {
  const { freeze, policy, audit, fleetName } = parts;
  return new Elysia()
    .get("/api/v1/freeze", () => ({ freeze: freeze.current() }), {
      response: { 200: FreezeState },
      detail: about("decisions", "Freeze in force"),
    })
    .post(
      "/api/v1/freeze",
      async ({ body, request }) => {
        const { reason, expiresInS = null, dryRun: isDry = false } = body;
        const untilMs = expiresInS === null ? null : parts.nowMs() + expiresInS * 1000;
        if (isDry) return { freeze: freeze.current(), effect: readEffect({ kind: "freeze", untilMs }, parts) };
        const change = { action: "freeze.set", target: fleetName, before: freeze.current(), reason };
        const set = () => freeze.set(reason, expiresInS);
        return { freeze: await audit.change(auditSourceOf(request), change, set) };
      },
      {
        ...jsonBody(FreezeBody),
        ...withReason,
        response: { 200: FreezeChange, 400: ErrorBody, 503: ErrorBody },
        detail: {
          ...about(
            "decisions",
            "Freeze the fleet",
            "The controller continues to decide and record, but changes nothing. Operators' overrides still apply. `dryRun` only reports the effect.",
          ),
          ...needsRole("operator"),
        },
      },
    )
    .delete(
      "/api/v1/freeze",
      async ({ request, query }) => {
        if (query.dryRun === "true") {
          if (freeze.current() === null) throw new ServiceError("NOT_FOUND", "the fleet is not frozen");
          return { freeze: freeze.current(), effect: readEffect({ kind: "end-freeze" }, parts) };
        }
        const change = { action: "freeze.end", target: fleetName, before: freeze.current() };
        const isEnded = await audit.change(
          auditSourceOf(request),
          change,
          () => freeze.end(),
          () => null,
        );
        if (!isEnded) throw new ServiceError("NOT_FOUND", "the fleet is not frozen");
        return { freeze: null };
      },
      {
        query: strictObject({
          dryRun: Type.Optional(
            Type.Literal("true", {
              title: "true: only report the effect, change nothing",
              description: "only show the effect",
            }),
          ),
        }),
        ...withReason,
        response: { 200: FreezeChange, 400: ErrorBody, 404: ErrorBody, 503: ErrorBody },
        detail: { ...about("decisions", "End the freeze"), ...needsRole("operator") },
      },
    )
    .get(
      "/api/v1/policy",
      () => {
        if (policy === null) throw new ServiceError("NOT_FOUND", "no scaling.policyFile is configured");
        return policy.status();
      },
      {
        response: { 200: PolicyView, 404: ErrorBody },
        detail: about(
          "decisions",
          "The scaling policy in force",
          "Readings of its triggers, its last decision, and what is wrong with its present file.",
        ),
      },
    );
}
