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
  version: Type.String({ description: "that the agents are to run" }),
  state: Type.Unsafe<KeptRollout["state"]>(literals("running", "paused", "halted", "stopped", "done")),
  reason: Type.String({ description: "what it did last, or waits for" }),
  startedAtMs: Type.Number(),
  wave: Type.Integer({ description: "the wave under way, from 1" }),
  plan: RolloutPlan,
  agents: Type.Object({
    updated: count("run the version"),
    failed: count("gave it up, or did not tell in time"),
    underWay: count("are told and not done"),
    unwilling: count("are not allowed to be updated by the fleet, or can't be"),
    absent: count("are offline"),
    waiting: count("are not told yet"),
  }),
  listed: Type.Array(
    Type.Object({
      agentId: Type.String(),
      wave: Type.Integer({ description: "from 1" }),
      progress: Type.Unsafe<AgentProgress>(
        literals("updated", "failed", "under-way", "unwilling", "absent", "waiting"),
      ),
      reason: orNull(Type.String(), "as the agent tells it"),
    }),
    { description: "at most 1000 agents, those that failed first" },
  ),
});
const RolloutAnswer = Type.Object({ rollout: orNull(RolloutView, "the newest roll-out; null: there was none") });
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
      detail: about("fleet", "The newest roll-out of a version, and how far it is"),
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
            "Begin to bring a version to the fleet",
            "Agents whose owners allow it are told wave by wave, never two of a region at once, and go back by themselves when the version is not well.",
          ),
          ...operator,
        },
      },
    )
    .post("/api/v1/rollout/pause", ({ request }) => change(request, "rollout.pause", () => rollout.pause()), {
      ...withReason,
      response: answers,
      detail: { ...about("fleet", "Tell no further agent for now"), ...operator },
    })
    .post("/api/v1/rollout/resume", ({ request }) => change(request, "rollout.resume", () => rollout.resume()), {
      ...withReason,
      response: answers,
      detail: {
        ...about("fleet", "Go on with the roll-out", "Agents that have failed so far don't halt it again."),
        ...operator,
      },
    })
    .post("/api/v1/rollout/stop", ({ request }) => change(request, "rollout.stop", () => rollout.stop()), {
      ...withReason,
      response: answers,
      detail: {
        ...about("fleet", "End the roll-out", "Agents that run the version keep it; the others are told no more."),
        ...operator,
      },
    });
}
