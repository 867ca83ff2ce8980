import type { MinuteRate } from "#forecast/forecaster.ts";
import type { Clock } from "#platform/clock.ts";
import { describeError } from "#platform/errors.ts";
import { maskSecrets } from "#platform/fetch/redact-url.ts";
import type { Logger } from "#platform/log.ts";
import { type PeriodicTask, runPeriodically } from "#platform/periodic.ts";
import type { ForecastReport } from "#protocol/messages.ts";
import { decideScaling } from "./decide-scaling.ts";
import { openPolicyFile, type PolicyFile } from "./policy-file.ts";
import { createPolicyMemory } from "./policy-memory.ts";
import { createForecastQuantiles, type ForecastQuantiles } from "./prediction/forecast-quantiles.ts";
import type { ScalingDecision } from "./scaling-decision.ts";
import type { ScalingObservation } from "./scaling-observation.ts";
import type { ScalingPolicy } from "./scaling-policy.ts";
import { readAgentsTrigger, type ServingAgent } from "./triggers/read-agents-trigger.ts";
import type { TriggerReading } from "./triggers/trigger-input.ts";
import { createTriggerPoller } from "./triggers/trigger-poller.ts";

/** What the loop knows of the fleet when it asks the policy. */
export type FleetLook = Pick<
  ScalingObservation,
  "nowMs" | "currentReplicas" | "liveQps" | "missingData" | "warmUpLeftS" | "frozen"
> & { readonly readyReplicas: number; readonly serving: readonly ServingAgent[] };

/** A policy in force: its file is watched, its triggers are asked, and what it decided before is remembered. */
export interface LivePolicy {
  /** Reads the file and begins to watch. @throws UsageError with all that is wrong with it. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Takes note of a forecast of the fleet's rate. */
  observe(history: readonly MinuteRate[], forecast: ForecastReport): void;
  /** What the policy wants now. */
  decide(look: FleetLook): ScalingDecision;
  /** For people and the API. */
  status(): PolicyStatus;
}

export interface PolicyStatus {
  readonly path: string;
  readonly name: string;
  readonly mode: "act" | "preview";
  readonly loadedAtMs: number;
  readonly problem: string | null;
  readonly readings: readonly TriggerReading[];
  readonly latest: ScalingDecision | null;
}

const reloadMs = 5000;
const pollsMissed = 3;

export function createLivePolicy(path: string, clock: Clock, log: Logger): LivePolicy {
  const nowMs = () => clock.nowMs();
  const poller = createTriggerPoller(process.env);
  let file: PolicyFile | null = null;
  let tasks: PeriodicTask[] = [];
  let lastPollMs = Number.NEGATIVE_INFINITY;
  let quantiles: { readonly level: number; readonly of: ForecastQuantiles } | null = null;
  const memory = createPolicyMemory();
  let readings: readonly TriggerReading[] = [];
  let shown: { readonly of: ScalingPolicy; readonly policy: ScalingPolicy } | null = null;
  let latest: ScalingDecision | null = null;

  const opened = (): PolicyFile => {
    if (file === null) throw new Error("the policy was asked before it was started. This is a bug.");
    return file;
  };
  const report = (error: unknown) => log.error({ err: describeError(error) }, "watching the policy failed");
  const poll = async () => {
    const { triggers, pollingIntervalS } = opened().policy;
    if (Math.abs(nowMs() - lastPollMs) < pollingIntervalS * 1000) return;
    lastPollMs = nowMs();
    await poller.poll(triggers, lastPollMs);
  };

  return {
    async start() {
      file = await openPolicyFile(path, nowMs, log);
      await poll();
      // A file is looked at in real time, triggers in the clock's.
      tasks = [
        runPeriodically(clock, reloadMs * clock.speed, () => opened().reload(), report),
        runPeriodically(clock, 1000 * Math.max(1, clock.speed), poll, report),
      ];
      const { name, mode } = file.policy;
      log.info({ path, policy: name, mode }, "scaling by a policy");
    },
    async stop() {
      poller.stop();
      await Promise.all(tasks.map((task) => task.stop()));
    },
    observe(history, forecast) {
      const confidence = opened().policy.prediction?.confidence;
      if (confidence === undefined) return;
      // Half way between the confidence and certainty.
      const level = (1 + confidence) / 2;
      if (quantiles?.level !== level) quantiles = { level, of: createForecastQuantiles(level) };
      quantiles.of.observe(history, forecast);
    },
    decide({ serving, ...look }) {
      const { policy, loadedAtMs } = opened();
      const now = look.nowMs;
      const outside = poller.readings(policy.triggers, now, policy.pollingIntervalS * 1000 * pollsMissed + 60_000);
      readings = policy.triggers.flatMap((trigger): TriggerReading[] => {
        if (trigger.kind !== "agents" && trigger.kind !== "queue-depth") {
          return outside.filter((reading) => reading.trigger === trigger.name);
        }
        const said = readAgentsTrigger(trigger, serving);
        const before = readings.find((reading) => reading.trigger === trigger.name)?.failures ?? 0;
        return "value" in said
          ? [{ trigger: trigger.name, value: said.value, failures: 0, reason: null }]
          : [{ trigger: trigger.name, value: null, failures: before + 1, reason: said.fault }];
      });
      // A decision keeps what it rests on, and is shown: headers and queries are for the sources alone.
      if (shown?.of !== policy) shown = { of: policy, policy: maskSecrets(policy) as ScalingPolicy };
      latest = decideScaling(shown.policy, {
        ...look,
        readings: [...readings],
        ...memory.recall(now, look.currentReplicas),
        loadedAgoS: Math.max(0, (now - loadedAtMs) / 1000),
        forecast: quantiles?.of.forecast(now) ?? null,
      });
      memory.note(now, latest);
      return latest;
    },
    status() {
      const { policy, loadedAtMs, problem } = opened();
      return { path, name: policy.name, mode: policy.mode, loadedAtMs, problem, readings, latest };
    },
  };
}
