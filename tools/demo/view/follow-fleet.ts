import type { AgentView } from "#controller/api/schemas.ts";
import type { CostReport } from "#controller/cost/cost-report.ts";
import type { ForecastAccuracy, ForecastReport } from "#protocol/messages.ts";
import type { ControllerClient } from "#tools/demo/fleet/controller-client.ts";
import type { DemoBoard } from "#tools/demo/fleet/demo-fleet.ts";
import type { Balancer } from "#tools/demo/traffic/balancer.ts";
import type { PowerModeSwitch } from "./report.ts";
import type { AgentSnapshot, CostView, DecisionSummary } from "./snapshot.ts";

/** Real milliseconds between two looks at the agents, and at cost and decisions (which cost the controller more). */
const agentsPeriodMs = 150;
const recordsPeriodMs = 1_500;

/** What is known of the fleet at this moment, and what was seen since the start. */
export interface FleetFollower {
  agents(): readonly AgentSnapshot[];
  forecast(): ForecastReport | null;
  /** Every forecast of the controller's that was seen, oldest first. */
  forecasts(): readonly ForecastReport[];
  modeSwitches(): readonly PowerModeSwitch[];
  /** Oldest first. */
  decisions(): readonly DecisionSummary[];
  cost(): CostView | null;
  /** What the controller's forecasts were worth, by its own word. */
  forecastAccuracy(): ForecastAccuracy | null;
  /** Looks at everything once more. Rejects when the controller does not answer. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

export interface FollowOptions {
  readonly controller: ControllerClient;
  readonly boards: readonly DemoBoard[];
  readonly balancer: Balancer;
  /** When the traffic began, by the clock; records before it are not of interest. */
  readonly sinceMs: number;
  /** The end of the interval whose cost and decisions are of interest: now, or when the traffic ended. */
  readonly untilMs: () => number;
  readonly nowMs: () => number;
}

function snapshotOf(view: AgentView, preset: string): AgentSnapshot {
  return {
    agentId: view.agentId,
    board: preset,
    online: view.status === "online",
    role: view.role.reported ?? view.role.desired ?? "unknown",
    powerMode: view.powerMode.reported,
    watts: view.watts,
    qps: view.qps,
    capacityQps: view.capacityQps,
    forecastPeakQps: view.forecastPeakQps,
    p95LatencyMs: view.p95LatencyMs,
  };
}

/** Agents that serve by the controller's plan and by their own word: one that is to leave gets no more requests while it still answers. */
export function servingTargets(views: readonly AgentView[]): { agentId: string; url: string; weight: number }[] {
  return views.flatMap(({ agentId, status, role, url, capacityQps }) =>
    status === "online" &&
    role.reported === "active" &&
    role.desired !== "standby" &&
    role.desired !== "draining" &&
    url
      ? [{ agentId, url, weight: capacityQps ?? 1 }]
      : [],
  );
}

/** Cost as the controller reckons it; null while it can't tell what all-on would have cost. */
export function costView(report: CostReport): CostView | null {
  const { allOn } = report;
  if (allOn === null) return null;
  const amountsOf = (amounts: typeof allOn | CostReport) => ({
    energyKwh: amounts.energyKwh,
    costUsd: amounts.totalUsd,
    energyUsd: amounts.energyUsd,
    amortisationUsd: amounts.amortisationUsd,
  });
  return { run: amountsOf(report), reference: amountsOf(allOn) };
}

/** Asks the controller again and again; keeps the balancer's list of agents up to date. */
export function followFleet(options: FollowOptions): FleetFollower {
  const { controller, boards, balancer } = options;
  let agents: readonly AgentSnapshot[] = [];
  let cost: CostView | null = null;
  let forecastAccuracy: ForecastAccuracy | null = null;
  let decisions: readonly DecisionSummary[] = [];
  const forecasts: ForecastReport[] = [];
  const switches: PowerModeSwitch[] = [];
  const abort = new AbortController();

  const lookAtAgents = async () => {
    const [views, fleet] = await Promise.all([controller.agents(), controller.fleet()]);
    balancer.update(servingTargets(views));
    const before = new Map(agents.map(({ agentId, powerMode }) => [agentId, powerMode]));
    agents = boards.flatMap(({ agentId, preset }) => {
      const view = views.find((one) => one.agentId === agentId);
      return view === undefined ? [] : [snapshotOf(view, preset)];
    });
    for (const { agentId, powerMode } of agents) {
      const from = before.get(agentId);
      if (!from || powerMode === null || from === powerMode) continue;
      switches.push({ atMs: Math.round(options.nowMs()), agentId, from, to: powerMode });
    }
    if (fleet.forecast !== null && fleet.forecast.madeAtMs !== forecasts.at(-1)?.madeAtMs)
      forecasts.push(fleet.forecast);
  };
  const lookAtRecords = async () => {
    const [newestFirst, report, accuracy] = await Promise.all([
      controller.decisions(options.sinceMs),
      controller.cost(options.sinceMs, Math.max(options.untilMs(), options.sinceMs + 1)),
      controller.forecastAccuracy(),
    ]);
    forecastAccuracy = accuracy;
    decisions = newestFirst
      .filter(({ atMs }) => atMs <= options.untilMs())
      .map(({ atMs, kind, reason, outcome }) => ({
        atMs,
        kind,
        reason,
        activated: outcome.activated,
        stoodBy: outcome.stoodBy,
      }))
      .reverse();
    cost = costView(report);
  };

  /** One look missed is made up for by the next: a controller that is gone for good ends as a process, which is watched. */
  const repeatedly = async (look: () => Promise<void>, periodMs: number) => {
    while (!abort.signal.aborted) {
      await look().catch(() => {});
      if (!abort.signal.aborted) await Bun.sleep(periodMs);
    }
  };
  const loops = [repeatedly(lookAtAgents, agentsPeriodMs), repeatedly(lookAtRecords, recordsPeriodMs)];

  return {
    agents: () => agents,
    forecast: () => forecasts.at(-1) ?? null,
    forecasts: () => forecasts,
    modeSwitches: () => switches,
    decisions: () => decisions,
    cost: () => cost,
    forecastAccuracy: () => forecastAccuracy,
    async refresh() {
      await lookAtAgents();
      await lookAtRecords();
    },
    async stop() {
      abort.abort();
      await Promise.all(loops);
    },
  };
}
