import type { Explained } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { KeptStore } from "#controller/store/store.ts";
import type { MinuteRate } from "#forecast/forecaster.ts";
import type { Clock } from "#platform/clock.ts";
import { describeError } from "#platform/errors.ts";
import { maskSecrets } from "#platform/fetch/redact-url.ts";
import type { Logger } from "#platform/log.ts";
import { type PeriodicTask, runPeriodically } from "#platform/periodic.ts";
import { secondMs } from "#platform/time.ts";
import type { ForecastReport } from "#protocol/messages.ts";
import { decideScaling } from "./decide-scaling.ts";
import { explainScaling } from "./explain-scaling.ts";
import { KeptPolicy } from "./kept-policy.ts";
import { openPolicyFile, type PolicyFile } from "./policy-file.ts";
import { createPolicyMemory } from "./policy-memory.ts";
import { ForecastQuantiles, quantileFor } from "./prediction/forecast-quantiles.ts";
import type { ScalingDecision } from "./scaling-decision.ts";
import type { ScalingObservation } from "./scaling-observation.ts";
import type { ScalingPolicy } from "./scaling-policy.ts";
import { readAgentsTrigger, type ServingAgent } from "./triggers/read-agents-trigger.ts";
import type { TriggerReading } from "./triggers/trigger-input.ts";
import { createTriggerPoller, toReading } from "./triggers/trigger-poller.ts";

/** State of the fleet with which the loop asks the policy. */
export type FleetLook = Pick<
  ScalingObservation,
  "nowMs" | "currentReplicas" | "liveQps" | "measuredReplicaQps" | "missingData" | "warmUpLeftS" | "frozen"
> & { readonly readyReplicas: number; readonly serving: readonly ServingAgent[] };

export type PolicyStatus = ReturnType<LivePolicy["status"]>;

const keptAs = "scaling-policy";
const reloadMs = 5000;
/** Polls in a row that may be missed before an answer is too old. */
const maxMissedPolls = 3;

/** A policy in force: its file is watched, its triggers are asked, and its earlier decisions are remembered. */
export class LivePolicy {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #store: KeptStore | null;
  readonly #poller = createTriggerPoller(process.env);
  readonly #memory = createPolicyMemory();
  #file: PolicyFile | null = null;
  #tasks: PeriodicTask[] = [];
  #lastPollMs = Number.NEGATIVE_INFINITY;
  #quantiles: { readonly level: number; readonly of: ForecastQuantiles } | null = null;
  #readings: readonly TriggerReading[] = [];
  /** The policy in force, and the same with its secrets masked. */
  #masked: { readonly of: ScalingPolicy; readonly policy: ScalingPolicy } | null = null;
  #latest: Explained<ScalingDecision> | null = null;

  /** @param store keeps the policy before, and that one was reversed, across a restart */
  constructor(path: string, clock: Clock, log: Logger, store: KeptStore | null = null) {
    this.#store = store;
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Reads the file and begins to watch it.
   * @throws UsageError with all mistakes in it.
   */
  async start(): Promise<void> {
    const clock = this.#clock;
    this.#file = await openPolicyFile(this.#path, () => clock.nowMs(), this.#log, {
      kept: (await this.#store?.loadKept(keptAs, KeptPolicy)) ?? null,
      save: (kept) => void this.#keep(kept),
    });
    await this.#poll();
    const report = (error: unknown) =>
      this.#log.error({ err: describeError(error) }, "watching the scaling policy failed");
    // The file is watched in real time, triggers are asked in the clock's.
    this.#tasks = [
      runPeriodically(clock, reloadMs * clock.speed, () => this.#opened().reload(), report),
      runPeriodically(clock, 1000 * Math.max(1, clock.speed), () => this.#poll(), report),
    ];
    const { name, mode } = this.#opened().policy;
    this.#log.info({ path: this.#path, policy: name, mode }, "scaling by a policy");
  }

  async stop(): Promise<void> {
    this.#poller.stop();
    await Promise.all(this.#tasks.map((task) => task.stop()));
  }

  /** Records a forecast of the fleet's rate. */
  observe(history: readonly MinuteRate[], forecast: ForecastReport): void {
    const confidence = this.#opened().policy.prediction?.confidence;
    if (confidence === undefined) return;
    const level = quantileFor(confidence);
    if (this.#quantiles?.level !== level) this.#quantiles = { level, of: new ForecastQuantiles(level) };
    this.#quantiles.of.observe(history, forecast);
  }

  /** Decides how many agents the policy wants now. */
  decide(look: FleetLook): Explained<ScalingDecision> {
    const { policy, loadedAtMs } = this.#opened();
    const now = look.nowMs;
    this.#readings = this.#readTriggers(policy, look.serving, now);
    // A decision is shown with its inputs, except headers and queries, which are only for the sources.
    if (this.#masked?.of !== policy) this.#masked = { of: policy, policy: maskSecrets(policy) as ScalingPolicy };
    const shown = this.#masked.policy;
    const forecast = this.#quantiles?.of.forecast(now) ?? null;
    const seen = this.#seen(look, this.#readings, Math.max(0, (now - loadedAtMs) / 1000), forecast);
    const decision = decideScaling(shown, seen);
    this.#latest = { ...decision, reason: explainScaling(decision, shown, seen) };
    this.#memory.note(now, decision);
    return this.#latest;
  }

  /** Decides what another policy would want now, with what this one remembers. Nothing is remembered of it, and its sources are not asked. */
  preview(policy: ScalingPolicy, look: FleetLook): Explained<ScalingDecision> {
    const shown = maskSecrets(policy) as ScalingPolicy;
    const confidence = policy.prediction?.confidence;
    const isLearnt = confidence !== undefined && this.#quantiles?.level === quantileFor(confidence);
    const forecast = isLearnt ? (this.#quantiles?.of.forecast(look.nowMs) ?? null) : null;
    const seen = this.#seen(look, this.#readTriggers(policy, look.serving, look.nowMs), 0, forecast);
    const decision = decideScaling(shown, seen);
    return { ...decision, reason: explainScaling(decision, shown, seen) };
  }

  #seen(
    { serving: _, ...look }: FleetLook,
    readings: readonly TriggerReading[],
    loadedAgoS: number,
    forecast: ScalingObservation["forecast"],
  ): ScalingObservation {
    const remembered = this.#memory.recall(look.nowMs, look.currentReplicas);
    return { ...look, readings: [...readings], ...remembered, loadedAgoS, forecast };
  }

  /** Policy in force; null before the start. */
  get inForce(): ScalingPolicy | null {
    return this.#file?.policy ?? null;
  }

  /** Path of its file. */
  get path(): string {
    return this.#path;
  }

  /** Reads the file again at once, e.g. after it was written. */
  async reload(): Promise<void> {
    await this.#opened().reload();
    await this.#poll();
  }

  status() {
    const { policy, loadedAtMs, problem } = this.#opened();
    const { name, mode } = policy;
    return { path: this.#path, name, mode, loadedAtMs, problem, readings: this.#readings, latest: this.#latest };
  }

  async #keep(kept: KeptPolicy): Promise<void> {
    try {
      await this.#store?.saveKept(keptAs, kept);
    } catch (error) {
      this.#log.warn({ err: describeError(error) }, "the scaling policy can't be kept for a restart");
    }
  }

  #opened(): PolicyFile {
    if (this.#file === null) throw new Error("the policy was queried before it was started. This is a bug.");
    return this.#file;
  }

  /** Time at which the policy in force was loaded; null while it is in preview. */
  get loadedAtMs(): number | null {
    const { policy, loadedAtMs } = this.#opened();
    return policy.mode === "act" ? loadedAtMs : null;
  }

  /** Puts the policy before back in force, until the file changes; false when there was none since the start. */
  takeBack(reason: string): boolean {
    return this.#opened().takeBack(reason);
  }

  async #poll(): Promise<void> {
    const { triggers, pollingIntervalS } = this.#opened().policy;
    const now = this.#clock.nowMs();
    if (Math.abs(now - this.#lastPollMs) < pollingIntervalS * secondMs) return;
    this.#lastPollMs = now;
    await this.#poller.poll(triggers, now);
  }

  #readTriggers(policy: ScalingPolicy, serving: readonly ServingAgent[], now: number): TriggerReading[] {
    const maxAgeMs = policy.pollingIntervalS * secondMs * maxMissedPolls + 60_000;
    const external = this.#poller.readings(policy.triggers, now, maxAgeMs);
    return policy.triggers.flatMap((trigger): TriggerReading[] => {
      if (trigger.kind !== "agents" && trigger.kind !== "queue-depth") {
        return external.filter((reading) => reading.trigger === trigger.name);
      }
      const failuresBefore = this.#readings.find((reading) => reading.trigger === trigger.name)?.failures ?? 0;
      return [toReading(trigger.name, readAgentsTrigger(trigger, serving), failuresBefore)];
    });
  }
}
