import {
  observeBirth,
  observeMinute,
  observePresence,
  observeReported,
  unknownAgent,
} from "#controller/fleet/agent-state.ts";
import { createDesiredDocuments, type DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import { createFleet } from "#controller/fleet/fleet.ts";
import { decideFleetPlan, defaultPlanLimits } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import type { FleetPlanInput } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import { loadHighsSolver } from "#controller/scaling/fleet-plan/milp/highs-solver.ts";
import { DecisionLoop, type DecisionLoopParts } from "#controller/scaling/loop/decision-loop.ts";
import { createOverrides, type Overrides } from "#controller/scaling/loop/overrides.ts";
import { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { SloConfig } from "#controller/scaling/slo/slo-config.ts";
import type { Forecaster, MinuteRate } from "#forecast/forecaster.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import { aBirth, aMinute, aPresence, aReported } from "../../../fakes/builders.ts";
import { createMemoryStore } from "../../memory-store.ts";
import { createRecordingBroker } from "../../recording-broker.ts";

const solver = await loadHighsSolver();

/** A decision loop over a fleet in memory: agents a and b serve, c and d stand by. Time, forecasts and reports are what a test says. */
export class LoopFixture {
  readonly broker = createRecordingBroker();
  readonly store = createMemoryStore();
  readonly fleet = createFleet();
  /** Past traffic, as each forecast was asked with it. */
  readonly histories: (readonly MinuteRate[])[] = [];
  /** Inputs of each plan. */
  readonly planned: FleetPlanInput[] = [];
  nowMs = Date.UTC(1971, 0, 1) + 100 * minuteMs + 10_000;
  forecastQps: number | readonly number[] | Error = 0;
  whileForecasting: () => void = () => undefined;
  frozen: string | null = null;
  desired!: DesiredDocuments;
  overrides!: Overrides;
  loop!: DecisionLoop;

  constructor() {
    for (const agentId of ["a", "b"]) this.join(agentId, "active");
    for (const agentId of ["c", "d"]) this.join(agentId, "standby");
  }

  /** Starts a loop, as a controller that starts (again) does. */
  async begin(config: Partial<ScalingConfig> = {}, parts: Partial<DecisionLoopParts> = {}): Promise<void> {
    const nowMs = () => this.nowMs;
    const { fleet, store, broker } = this;
    const log = createLogger("test", "silent");
    this.desired = createDesiredDocuments({ fleetName: "f", fleet, store, broker, nowMs, log });
    await this.desired.recover();
    const forecaster: Forecaster = {
      async start() {},
      async stop() {},
      forecast: async (history) => {
        this.histories.push(history);
        this.whileForecasting();
        const { forecastQps } = this;
        if (forecastQps instanceof Error) throw forecastQps;
        const qps = typeof forecastQps === "number" ? new Array(15).fill(forecastQps) : [...forecastQps];
        return { madeAtMs: this.nowMs, model: "test", reason: "", stepMs: minuteMs, qps };
      },
      describe: () => ({ model: "test", backend: "none", reason: "" }),
    };
    this.loop = new DecisionLoop({
      config: { ...parseConfig(ScalingConfig, {}, "test"), warmUpMs: 0, ...config },
      slo: parseConfig(SloConfig, {}, "test"),
      limits: { staleAfterMs: 180_000 },
      prices: { tariffUsdPerKwh: 0.15, amortisationUsdPerHour: 0.133 },
      ...{ fleet, desired: this.desired, store, forecaster, nowMs, log },
      onDecision: () => undefined,
      frozen: () => this.frozen,
      planner: {
        plan: async ({ input, cover }) => {
          this.planned.push(input);
          return decideFleetPlan(input, solver, defaultPlanLimits, cover);
        },
        async stop() {},
      },
      ...parts,
    });
    this.overrides = createOverrides({ fleet, desired: this.desired, store, nowMs, onChange: () => undefined });
  }

  join(agentId: string, role: "active" | "standby"): void {
    const presence = observePresence(unknownAgent(agentId, this.nowMs), aPresence({ agentId, role }), this.nowMs)!;
    this.fleet.put(observeBirth(presence, aBirth({ agentId }), this.nowMs));
  }

  leave(agentId: string): void {
    const state = this.fleet.get(agentId)!;
    this.fleet.put(observePresence(state, { ...state.presence!, status: "offline" }, this.nowMs)!);
  }

  /** Every agent named says how many requests per second it answered in the minute that has just ended. */
  report(rates: Record<string, number>): void {
    const minuteStartMs = Math.floor(this.nowMs / minuteMs) * minuteMs - minuteMs;
    for (const [agentId, qps] of Object.entries(rates)) {
      const state = this.fleet.get(agentId)!;
      const data = aMinute({ agentId, seq: state.lastSeq + 1, minuteStartMs, requests: qps * 60 });
      this.fleet.put(observeMinute(state, data, this.nowMs).state);
      this.fleet.traffic.add(minuteStartMs, qps * 60);
    }
  }

  nextMinute(rates: Record<string, number>): void {
    this.nowMs += minuteMs;
    this.report(rates);
  }

  /** Lets an agent report what it has made of its document. */
  reports(agentId: string, given: Partial<Parameters<typeof aReported>[0]>): void {
    const state = this.fleet.get(agentId)!;
    this.fleet.put(observeReported(state, aReported({ agentId, ...given }), this.nowMs)!);
  }

  /** The agent does as it was told. */
  obey(agentId: string): void {
    const { version, role, powerMode } = this.desired.documents.get(agentId)!;
    const { presence, ...state } = this.fleet.get(agentId)!;
    const reported = aReported({ agentId, desiredVersion: version, role, powerMode: powerMode ?? "MAXN" });
    this.fleet.put({ ...state, presence: { ...presence!, role }, reported });
  }

  /** Published documents, reminders included: agent, role and version. */
  publishedRoles(): string[] {
    return this.#publishedDocuments().map(
      (message) => `${message["agentId"]} ${message["role"]} ${message["version"]}`,
    );
  }

  /** The same without reminders: these agents never report what they have taken in. */
  desiredRoles(): string[] {
    return [...new Set(this.publishedRoles())];
  }

  desiredModes(): string[] {
    return this.#publishedDocuments().map(
      (message) => `${message["agentId"]} ${message["role"]} ${message["powerMode"]}`,
    );
  }

  /** Kind and rule of the decisions on record, oldest first. */
  async kinds(): Promise<string[]> {
    return (await this.store.decisions({ limit: 100 })).map(({ kind, rule }) => `${kind} ${rule}`).reverse();
  }

  #publishedDocuments() {
    return this.broker.published.filter(({ topic }) => topic.endsWith("/desired")).map(({ message }) => message);
  }
}
