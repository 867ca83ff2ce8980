import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { needsRole } from "#platform/http/guard/roles.ts";
import { literals, orNull } from "#platform/schema-parts.ts";
import type { Digest } from "../../cost/digest/make-digest.ts";
import { explainSaving } from "../../cost/savings/explain-savings.ts";
import type { Saving } from "../../cost/savings/saving.ts";
import type { ApiParts } from "../api-parts.ts";
import { auditSourceOf, withReason } from "../audited-change.ts";
import { about, ErrorBody } from "../schemas.ts";

const level = literals("low", "medium", "high");

const SavingView = Type.Unsafe<Saving & { readonly reason: string }>(
  Type.Object({
    kind: Type.String(),
    target: Type.String({ description: "agent, model or service" }),
    ...{ action: Type.String(), evidence: Type.String() },
    yearlyUsd: Type.Number({ description: "saving per year at the present rate" }),
    ...{ risk: level, effort: level, reason: Type.String() },
  }),
);

const digest = {
  dayStartMs: Type.Number(),
  date: Type.String({ description: "of the local calendar" }),
  usd: Type.Number(),
  usualUsd: orNull(Type.Number(), "mean of the preceding week; null: no days on record"),
  movers: Type.Array(
    Type.Object({
      ...{ dimension: Type.String(), name: orNull(Type.String(), "null: idle time") },
      ...{ usd: Type.Number(), usualUsd: Type.Number() },
    }),
  ),
  anomaly: orNull(Type.String(), "reason why the day is unusual; null: it is not"),
  forecast: Type.Any({ description: "as /api/v1/cost/forecast" }),
  advice: orNull(Type.String(), "null: none"),
  text: Type.String({ description: "for people" }),
};
const DigestView = Type.Unsafe<Digest>(Type.Object(digest));
const ToldView = Type.Unsafe<Digest & { readonly told: number }>(
  Type.Object({ ...digest, told: Type.Integer({ description: "notifiers that are sent it" }) }),
);

/** Routes of advice on savings, and of the day's digest. */
export function adviceRoutes({ alerts, audit, fleetName }: Pick<ApiParts, "alerts" | "audit" | "fleetName">) {
  return new Elysia()
    .get(
      "/api/v1/savings",
      async () => ({
        savings: (await alerts.savings()).map((saving) => ({ ...saving, reason: explainSaving(saving) })),
      }),
      {
        response: { 200: Type.Object({ savings: Type.Array(SavingView, { description: "the largest first" }) }) },
        detail: about(
          "cost",
          "Ways to spend less",
          "From a week of device hours, a month of model use, and the outside services described in cost.services.",
        ),
      },
    )
    .get("/api/v1/cost/digest", () => alerts.digest(), {
      response: { 200: DigestView },
      detail: about(
        "cost",
        "Yesterday's cost",
        "Compared with the week, with what changed, the month's forecast and one piece of advice.",
      ),
    })
    .post(
      "/api/v1/cost/digest",
      async ({ request }) => {
        const change = { action: "digest.tell", target: fleetName, before: null };
        return audit.change(
          auditSourceOf(request),
          change,
          async () => {
            const made = await alerts.digest();
            return { ...made, told: alerts.monitor.announce("digest", "yesterday's cost", made.text) };
          },
          ({ told }) => ({ told }),
        );
      },
      {
        ...withReason,
        response: { 200: ToldView, 400: ErrorBody, 503: ErrorBody },
        detail: { ...about("cost", "Tell the notifiers yesterday's cost"), ...needsRole("operator") },
      },
    );
}
