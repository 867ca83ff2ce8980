import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { auditSourceOf, withReason } from "#controller/api/audited-change.ts";
import { about, ErrorBody } from "#controller/api/schemas.ts";
import type { AuditLog } from "#controller/audit/audit-log.ts";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { needsRole } from "#platform/http/guard/roles.ts";
import { literals, orNull } from "#platform/schema-parts.ts";
import type { AgentProgress } from "./decide-rollout.ts";
import type { Rollout, RolloutProgress } from "./rollout.ts";
import { type KeptRollout, planOf, RolloutPlan, RolloutRequest } from "./rollout-schemas.ts";

/** Agents that an answer names: those whose updates did not go well first. */
const maxListed = 1000;

const count = (description: string) => Type.Integer({ description });
const RolloutView = Type.Object({
  id: Type.String(),
  version: Type.String({ description: "version that the agents are to run" }),
  state: Type.Unsafe<KeptRollout["state"]>(literals("running", "paused", "halted", "stopped", "done")),
  reason: Type.String({ description: "last step, or what it is waiting for" }),
  startedAtMs: Type.Number(),
  wave: Type.Integer({ description: "the wave under way, from 1" }),
  plan: RolloutPlan,
  agents: Type.Object({
    updated: count("run the version"),
    failed: count("rolled back, or did not report in time"),
    underWay: count("have been told to update and are not done"),
    unwilling: count("do not allow updates by the fleet, or can't be updated"),
    absent: count("are offline"),
    waiting: count("have not been told yet"),
  }),
  listed: Type.Array(
    Type.Object({
      agentId: Type.String(),
      wave: Type.Integer({ description: "from 1" }),
      progress: Type.Unsafe<AgentProgress>(
        literals("updated", "failed", "under-way", "unwilling", "absent", "waiting"),
      ),
      reason: orNull(Type.String(), "as reported by the agent"),
    }),
    { description: "at most 1000 agents, failed ones first" },
  ),
});
const RolloutAnswer = Type.Object({ rollout: orNull(RolloutView, "the newest roll-out; null: none") });
type RolloutView = (typeof RolloutView)["static"];

const worst = ["failed", "under-way", "waiting", "absent", "unwilling", "updated"];

function viewOf(progress: RolloutProgress | null): { rollout: RolloutView | null } {
  if (progress === null) return { rollout: null };
  const { rollout, counts, agents } = progress;
  const { id, plan, state, reason, startedAtMs, wave } = rollout;
  const { "under-way": underWay, ...others } = counts;
  const listed = [...agents]
    .sort((a, b) => worst.indexOf(a.progress) - worst.indexOf(b.progress) || a.agentId.localeCompare(b.agentId))
    .slice(0, maxListed)
    .map((agent) => ({ ...agent, wave: agent.wave + 1 }));
  return {
    rollout: {
      id,
      version: plan.version,
      state,
      reason,
      startedAtMs,
      wave: wave + 1,
      plan,
      agents: { ...others, underWay },
      listed,
    },
  };
}

/** `/api/v1/rollout`: bringing a version to the fleet. */
export function rolloutRoutes(rollout: Rollout, audit: AuditLog) {
  const shown = (kept: KeptRollout | null) =>
    kept && { version: kept.plan.version, state: kept.state, reason: kept.reason, plan: kept.plan };
  const present = () => rollout.current()?.plan.version ?? "none";
  const change = async (request: Request, action: string, work: () => Promise<KeptRollout>, target = present()) => {
    const about = { action, target, before: shown(rollout.current()) };
    await audit.change(auditSourceOf(request), about, async () => shown(await work()));
    return viewOf(rollout.progress());
  };
  const answers = {
    200: RolloutAnswer,
    400: ErrorBody,
    404: ErrorBody,
    409: ErrorBody,
    413: ErrorBody,
    503: ErrorBody,
  };
  const operator = needsRole("operator");
  return new Elysia()
    .get("/api/v1/rollout", () => viewOf(rollout.progress()), {
      response: { 200: RolloutAnswer },
      detail: about("fleet", "The newest roll-out of a version, and its progress"),
    })
    .post(
      "/api/v1/rollout",
      ({ body, request }) => change(request, "rollout.start", () => rollout.start(planOf(body)), body.version),
      {
        ...jsonBody(RolloutRequest),
        ...withReason,
        response: answers,
        detail: {
          ...about(
            "fleet",
            "Start to roll a version out over the fleet",
            "Agents whose owners allow it are updated wave by wave, never two in a region at once, and roll back by themselves if the version is unhealthy.",
          ),
          ...operator,
        },
      },
    )
    .post("/api/v1/rollout/pause", ({ request }) => change(request, "rollout.pause", () => rollout.pause()), {
      ...withReason,
      response: answers,
      detail: { ...about("fleet", "Pause the roll-out"), ...operator },
    })
    .post("/api/v1/rollout/resume", ({ request }) => change(request, "rollout.resume", () => rollout.resume()), {
      ...withReason,
      response: answers,
      detail: {
        ...about("fleet", "Resume the roll-out", "Agents that have already failed don't halt it again."),
        ...operator,
      },
    })
    .post("/api/v1/rollout/stop", ({ request }) => change(request, "rollout.stop", () => rollout.stop()), {
      ...withReason,
      response: answers,
      detail: {
        ...about("fleet", "End the roll-out", "Agents that run the version keep it; no others are told to update."),
        ...operator,
      },
    });
}
