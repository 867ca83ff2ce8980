import { Type } from "@sinclair/typebox";
import { decideRole } from "#agent/mesh/decide-role.ts";
import { explainRole } from "#agent/mesh/explain-role.ts";
import { decideCorrection } from "#agent/power/calibration/decide-correction.ts";
import { decideNextRate } from "#agent/power/calibration/decide-next-rate.ts";
import { explainNextRate } from "#agent/power/calibration/explain-next-rate.ts";
import { decideSleep } from "#agent/power/sleep/decide-sleep.ts";
import { decideWake } from "#agent/power/sleep/decide-wake.ts";
import { explainSleep } from "#agent/power/sleep/explain-sleep.ts";
import { AgentRole, Desired, PowerModeProfile } from "#protocol/messages.ts";
import { type DecisionEntry, decisionEntry, explained } from "./decision-entry.ts";

const strict = { additionalProperties: false } as const;
const Time = Type.Number();
const timeOrNull = Type.Union([Time, Type.Null()], { default: null });
const Count = Type.Integer({ minimum: 0, default: 0 });
const Amount = Type.Number({ minimum: 0 });
const amountOrNull = Type.Union([Amount, Type.Null()], { default: null });
const roleOrNull = Type.Union([...AgentRole.anyOf, Type.Null()], { default: null });

const RoleInput = Type.Object(
  {
    desired: Type.Union([Desired, Type.Null()], { default: null, description: "the controller's last document" }),
    configuredRole: Type.Union(AgentRole.anyOf, { default: "active" }),
    stopping: Type.Boolean({ default: false }),
    drainedByCommand: Type.Boolean({ default: false }),
    brokerConnected: Type.Boolean({ default: true }),
    controllerOnline: Type.Boolean({ default: true }),
    servingPeerCount: Count,
  },
  strict,
);

const SleepInput = Type.Object(
  {
    canSuspend: Type.Boolean({ default: true }),
    afterMs: Type.Number({ default: 900_000, minimum: 0 }),
    role: Type.Union(AgentRole.anyOf, { default: "standby" }),
    standbySinceMs: timeOrNull,
    requestsInFlight: Count,
    outboxRecords: Count,
    controllerOnline: Type.Boolean({ default: true }),
    servingPeers: Count,
    boardInUse: Type.Union([Type.String(), Type.Null()], { default: null }),
    nowMs: Time,
  },
  strict,
);

const WakeInput = Type.Object(
  {
    ownRole: Type.Union(AgentRole.anyOf, { default: "active" }),
    sleeping: Type.Array(
      Type.Object({ agentId: Type.String({ minLength: 1 }), desiredRole: roleOrNull, triedAtMs: timeOrNull }, strict),
    ),
    retryMs: Type.Number({ default: 60_000, minimum: 0 }),
    nowMs: Time,
  },
  strict,
);

const Verdict = Type.Union([Type.Literal("in-time"), Type.Literal("late"), Type.Literal("hopeless")]);
const CalibrationRateInput = Type.Object(
  {
    trials: Type.Array(Type.Object({ rateQps: Amount, verdict: Verdict }, strict), { default: [] }),
    search: Type.Object(
      {
        firstQps: Amount,
        lowestQps: Type.Number({ exclusiveMinimum: 0, default: 0.5 }),
        highestQps: Type.Number({ exclusiveMinimum: 0, default: 20_000 }),
        tolerance: Type.Number({ exclusiveMinimum: 0, default: 0.05 }),
      },
      strict,
    ),
  },
  strict,
);

const Factor = Type.Number({ exclusiveMinimum: 0, default: 1 });
const ProfileCorrectionInput = Type.Object(
  {
    mode: PowerModeProfile,
    before: Type.Object({ capacity: Factor, busyWatts: Factor, idleWatts: Factor }, { ...strict, default: {} }),
    minute: Type.Object({ qps: Amount, requests: Count, p95Ms: amountOrNull, meanWatts: amountOrNull }, strict),
    targetP95Ms: Type.Number({ exclusiveMinimum: 0, default: 50 }),
  },
  strict,
);

/** Decisions that a device makes for itself, but for its power mode. */
export const deviceDecisions: Readonly<Record<string, DecisionEntry>> = {
  role: decisionEntry("whether an agent serves, drains or stands by", RoleInput, explained(decideRole, explainRole)),
  sleep: decisionEntry(
    "whether a device that stands by is suspended",
    SleepInput,
    explained(decideSleep, explainSleep),
  ),
  wake: decisionEntry("which sleeping peers to wake", WakeInput, decideWake),
  "calibration-rate": decisionEntry(
    "which rate a calibration tries next, and when it is done",
    CalibrationRateInput,
    explained(({ trials, search }) => decideNextRate(trials, search), explainNextRate),
  ),
  "profile-correction": decisionEntry(
    "how a minute of service corrects a mode's calibrated figures",
    ProfileCorrectionInput,
    ({ mode, before, minute, targetP95Ms }) => decideCorrection(mode, before, minute, targetP95Ms),
  ),
};
