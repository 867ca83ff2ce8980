import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { observePlannable } from "#controller/scaling/apply-plan/observe-plannable.ts";
import { fleetOfAgents } from "#controller/scaling/backtest/fleet-of-agents.ts";
import type { BacktestJob, BacktestJobs } from "#controller/scaling/backtest/job/backtest-jobs.ts";
import type { BacktestQuestion, PlayedPolicy } from "#controller/scaling/backtest/job/backtest-question.ts";
import type { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { maxPolicyLength, readPolicyInput, readPolicyText } from "#controller/scaling/policy/file/policy-document.ts";
import type { LivePolicy } from "#controller/scaling/policy/live-policy.ts";
import { withoutUnrecorded } from "#controller/scaling/policy/play-scaling-policy.ts";
import { ServiceError } from "#platform/errors.ts";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { needsRole } from "#platform/http/guard/roles.ts";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import type { ApiParts } from "../api-parts.ts";
import { auditSourceOf, withReason } from "../audited-change.ts";
import { about, ErrorBody } from "../schemas.ts";

/** Fewest minutes on record that tell something. */
const minMinutes = 60;
const maxHours = 336;
const defaultHours = 168;
const maxSteps = 480;
const maxPolicies = 8;

const BacktestBody = strictObject({
  text: Type.Optional(
    Type.String({
      maxLength: maxPolicyLength,
      description: "policy to try, as YAML or JSON; omitted: only the policy in force and those compared with it",
    }),
  ),
  hours: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: maxHours,
      description: `number of recorded hours to replay, up to now (default: ${defaultHours})`,
    }),
  ),
});

const series = Type.Array(Type.Number(), { maxItems: maxSteps });
const Result = Type.Object({
  startMs: Type.Number(),
  stepMs: Type.Number(),
  demandQps: { ...series, description: "highest rate in each step, texts per second" },
  results: Type.Array(
    Type.Object({
      label: Type.String(),
      costUsd: Type.Number({
        description: "electricity, starts and hours, plus the price of lost texts",
      }),
      energyKwh: Type.Number(),
      sloMinutes: Type.Number({ description: "minutes in which texts were lost or the latency was above the SLO" }),
      lostTexts: Type.Number(),
      activations: Type.Number(),
      utilization: Type.Number({ description: "texts served, as a share of the capacity that served" }),
      capacityQps: { ...series, description: "lowest capacity in each step, texts per second" },
      unitsOn: { ...series, description: "mean number of devices that were on in each step" },
    }),
    { maxItems: maxPolicies },
  ),
});

const job = {
  id: Type.String(),
  state: Type.String({ description: "running, done, failed or cancelled" }),
  startedAtMs: Type.Number(),
  endedAtMs: orNull(Type.Number(), "null: still running"),
  progress: Type.Number({ description: "0 … 1" }),
  by: Type.String({ description: "who started it" }),
  policies: Type.Array(Type.String(), { maxItems: maxPolicies }),
  minutes: Type.Integer({ description: "of traffic" }),
  failure: orNull(Type.String(), "reason why there is no result"),
};
const JobView = Type.Unsafe<BacktestJob>(Type.Object({ ...job, result: orNull(Result, "null: not yet, or never") }));
const JobList = Type.Unsafe<{ backtests: Omit<BacktestJob, "result">[] }>(
  Type.Object({ backtests: Type.Array(Type.Object(job), { maxItems: maxPolicies }) }),
);
const JobParams = Type.Object({ id: Type.String({ pattern: "^[0-9a-f-]{36}$", title: "a backtest's id" }) });

export interface BacktestRoutesParts
  extends Pick<ApiParts, "audit" | "loop" | "store" | "fleet" | "desired" | "fleetName" | "prices" | "nowMs"> {
  readonly jobs: BacktestJobs;
  readonly scaling: ScalingConfig;
  readonly livePolicy: LivePolicy | null;
}

/** Names for people, each once. */
function labelled(given: PlayedPolicy[]): PlayedPolicy[] {
  const seen = new Map<string, number>();
  return given.map(({ label, policy }) => {
    const count = (seen.get(label) ?? 0) + 1;
    seen.set(label, count);
    return { label: count === 1 ? label : `${label} (${count})`, policy };
  });
}

/** Routes by which a policy is replayed on the recorded traffic, in the background. */
export function backtestRoutes(parts: BacktestRoutesParts) {
  const { jobs, audit, store, fleet, desired, loop, scaling, prices, livePolicy, fleetName, nowMs } = parts;

  const policiesOf = async (text: string | undefined): Promise<PlayedPolicy[]> => {
    const inForce = livePolicy?.inForce ?? null;
    const current = livePolicy === null ? null : await readPolicyInput(livePolicy.path);
    const given = text === undefined ? null : readPolicyText(text, current).policy;
    return labelled([
      ...(given === null ? [] : [{ label: `${given.name}, as given`, policy: withoutUnrecorded(given).policy }]),
      ...(inForce === null ? [] : [{ label: `${inForce.name}, in force`, policy: withoutUnrecorded(inForce).policy }]),
      { label: "everything on", policy: "static-all" },
      { label: "HPA", policy: "hpa" },
      { label: "predictive rule", policy: "predictive" },
      { label: "with hindsight", policy: "oracle" },
    ]);
  };

  const fleetNow = () => {
    const now = nowMs();
    const { candidates } = loop.observe();
    const known = candidates.flatMap((candidate) => {
      const agent = fleet.get(candidate.agentId);
      if (agent?.birth == null) return [];
      const { agentId } = candidate;
      const observed = { ...candidate, unavailable: null, overrideRole: null };
      return observePlannable(agent, observed, desired.documents.get(agentId), undefined, prices, now, now).plannable;
    });
    const found = fleetOfAgents(fleetName, known, scaling);
    if (found === null)
      throw new ServiceError("CONFLICT", "no agent has reported its board's capacity yet: there is no fleet to replay");
    return found;
  };

  const trafficOf = async (hours: number): Promise<Pick<BacktestQuestion, "startMs" | "rates">> => {
    const now = nowMs();
    const minutes = await store.fleetMinutes(now - hours * hourMs, now);
    const first = minutes[0];
    const last = minutes.at(-1);
    const count =
      first === undefined || last === undefined ? 0 : (last.minuteStartMs - first.minuteStartMs) / minuteMs + 1;
    if (first === undefined || count < minMinutes)
      throw new ServiceError(
        "CONFLICT",
        `hours: expected at least ${minMinutes} minutes of traffic on record, got ${Math.round(count)}`,
      );
    const rates: number[] = [];
    const known = new Map(minutes.map(({ minuteStartMs, texts }) => [minuteStartMs, texts / 60]));
    // A missing minute repeats the one before.
    for (let minute = 0; minute < count; minute += 1)
      rates.push(known.get(first.minuteStartMs + minute * minuteMs) ?? rates.at(-1) ?? 0);
    return { startMs: first.minuteStartMs, rates };
  };

  return new Elysia()
    .get("/api/v1/backtests", () => ({ backtests: jobs.list() }), {
      response: { 200: JobList },
      detail: about(
        "decisions",
        "Backtests, newest first",
        "The last five at most that this controller has run since it started.",
      ),
    })
    .post(
      "/api/v1/backtests",
      async ({ body, request }) => {
        const policies = await policiesOf(body.text);
        const question: BacktestQuestion = {
          fleet: fleetNow(),
          ...(await trafficOf(body.hours ?? defaultHours)),
          policies,
        };
        const source = auditSourceOf(request);
        const change = { action: "backtests.start", target: fleetName, before: null };
        return await audit.change(
          source,
          change,
          async () => jobs.start(question, source.name ?? "unknown"),
          ({ id, policies, minutes }) => ({ id, policies, minutes }),
        );
      },
      {
        ...jsonBody(BacktestBody),
        ...withReason,
        response: { 200: JobView, 400: ErrorBody, 409: ErrorBody, 503: ErrorBody },
        detail: {
          ...about(
            "decisions",
            "Replay policies on the recorded traffic",
            "In the background, one at a time, with the present agents: what a policy, the one in force, HPA and others would have cost and carried. Triggers whose values are not on record are left out.",
          ),
          ...needsRole("operator"),
        },
      },
    )
    .get("/api/v1/backtests/:id", ({ params }) => jobs.get(params.id), {
      params: JobParams,
      response: { 200: JobView, 400: ErrorBody, 404: ErrorBody },
      detail: about("decisions", "One backtest", "Its progress, and its result once there is one."),
    })
    .delete(
      "/api/v1/backtests/:id",
      ({ params, request }) => {
        const change = { action: "backtests.cancel", target: params.id, before: null };
        jobs.get(params.id);
        return audit.change(
          auditSourceOf(request),
          change,
          async () => jobs.cancel(params.id),
          ({ state }) => ({ state }),
        );
      },
      {
        params: JobParams,
        ...withReason,
        response: { 200: JobView, 400: ErrorBody, 404: ErrorBody, 503: ErrorBody },
        detail: {
          ...about("decisions", "Cancel a backtest", "Has no effect on one that has ended."),
          ...needsRole("operator"),
        },
      },
    );
}
