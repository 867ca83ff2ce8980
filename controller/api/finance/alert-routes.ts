import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { needsRole } from "#platform/http/guard/roles.ts";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import { AlertSchema } from "../../alerts/kept-alerts.ts";
import type { NotifierStatus } from "../../alerts/notify/notice-queue.ts";
import { Silence } from "../../alerts/silence.ts";
import type { ApiParts } from "../api-parts.ts";
import { auditSourceOf, withReason } from "../audited-change.ts";
import { about, ErrorBody } from "../schemas.ts";

const AlertView = Type.Intersect([
  AlertSchema,
  Type.Object({
    silenced: Type.Boolean({ description: "it is silenced" }),
    text: Type.String({ description: "for people" }),
  }),
]);

const NotifierView = Type.Unsafe<NotifierStatus>(
  Type.Object({
    ...{ name: Type.String(), kind: Type.String() },
    queued: Type.Integer({ description: "notices waiting" }),
    sent: Type.Integer({ description: "notices accepted since the start" }),
    failures: Type.Integer({ description: "messages that were not accepted, including repeats" }),
    dropped: Type.Integer({ description: "notices dropped: refused, a day old, or too many" }),
    lastSentMs: orNull(Type.Number(), "null: none yet"),
    lastError: orNull(Type.String(), "null: the newest message was accepted"),
  }),
);

const SilenceBody = strictObject({
  rule: Type.Optional(Silence.properties.rule),
  labels: Type.Optional(Silence.properties.labels),
  reason: Silence.properties.reason,
  forS: Type.Integer({ minimum: 1, maximum: 90 * 86_400, description: "seconds, at most 90 days" }),
});

const SilenceAnswer = Type.Object({ silence: Silence });
const SilenceParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) });
const forOperators = (summary: string, description?: string) => ({
  ...about("cost", summary, description),
  ...needsRole("operator"),
});

/** Routes of alerts, notifiers and silences. */
export function alertRoutes({
  alerts: { monitor },
  audit,
  fleetName,
}: Pick<ApiParts, "alerts" | "audit" | "fleetName">) {
  return new Elysia()
    .get(
      "/api/v1/alerts",
      () => ({ alerts: [...monitor.alerts()], silences: monitor.silences(), notifiers: monitor.notifiers() }),
      {
        response: {
          200: Type.Object({
            alerts: Type.Array(AlertView, { description: "firing ones first" }),
            silences: Type.Array(Silence),
            notifiers: Type.Array(NotifierView),
          }),
        },
        detail: about("cost", "Alerts", "Alerts on cost and service, with their notifiers and whether these work."),
      },
    )
    .post(
      "/api/v1/alerts/test",
      async ({ request }) => {
        const change = { action: "alerts.test", target: fleetName, before: null };
        const told = await audit.change(auditSourceOf(request), change, async () =>
          monitor.announce("test", "a test", `a test of fleet ${fleetName}'s notifiers`),
        );
        return { told };
      },
      {
        ...withReason,
        response: {
          200: Type.Object({ told: Type.Integer({ description: "notifiers that are sent it now" }) }),
          ...{ 400: ErrorBody, 503: ErrorBody },
        },
        detail: forOperators("Send a test to all notifiers", "GET /api/v1/alerts shows whether they accepted it."),
      },
    )
    .post(
      "/api/v1/silences",
      async ({ body, request }) => {
        const source = auditSourceOf(request);
        const { rule = null, labels = [], reason, forS } = body;
        const change = { action: "silences.create", target: rule ?? "any", before: null, reason };
        const given = { rule, labels, reason, by: source.name ?? "unknown" };
        return { silence: await audit.change(source, change, () => monitor.silence(given, forS)) };
      },
      {
        ...jsonBody(SilenceBody),
        ...withReason,
        response: { ...{ 200: SilenceAnswer, 400: ErrorBody, 409: ErrorBody, 413: ErrorBody, 503: ErrorBody } },
        detail: forOperators("Silence alerts", "Silenced alerts are still computed and shown, but not sent."),
      },
    )
    .delete(
      "/api/v1/silences/:id",
      async ({ params: { id }, request, set }) => {
        const before = monitor.silences().find((silence) => silence.id === id) ?? null;
        const change = { action: "silences.end", target: id, before };
        await audit.change(
          auditSourceOf(request),
          change,
          () => monitor.endSilence(id),
          () => null,
        );
        set.status = 204;
      },
      {
        params: SilenceParams,
        ...withReason,
        response: {
          ...{ 204: Type.Void({ description: "It has ended." }), 400: ErrorBody, 404: ErrorBody, 503: ErrorBody },
        },
        detail: forOperators("End a silence"),
      },
    );
}
