import type { AllocationView } from "#controller/api/allocation-views.ts";
import type { AgentView } from "#controller/api/schemas.ts";
import type { CostReport } from "#controller/cost/cost-report.ts";
import type { ForecastAccuracy, ForecastReport } from "#protocol/messages.ts";
import type { ControllerClient } from "#tools/demo/fleet/controller-client.ts";
import { type DemoBoard, profileCapacityQps } from "#tools/demo/fleet/demo-fleet.ts";
import { viewerKey } from "#tools/demo/fleet/fleet-config.ts";
import { getText } from "#tools/demo/fleet/http-json.ts";
import { type MeasuredCapacity, measuredCapacities } from "./follow-capacity.ts";
import type { PowerModeSwitch } from "./report.ts";
import { readRoutes } from "./routes.ts";
import type {
  AgentSnapshot,
  CapacityFound,
  CostView,
  DecisionSummary,
  PaidBy,
  RoutesView,
  TenantCost,
} from "./snapshot.ts";

/** Real time between two queries of the agents, and of routes, cost and decisions (which cost the controller more). */
const agentsPeriodMs = 400;
const recordsPeriodMs = 1_500;

interface FollowOptions {
  readonly controller: ControllerClient;
  readonly boards: readonly DemoBoard[];
  /** The agents' addresses. */
  readonly agents: readonly { readonly agentId: string; readonly url: string }[];
  /** Factor from the boards' full-size profiles to their capacity here. */
  readonly capacityScale: number;
  /** Address at which all requests enter. */
  readonly entryUrl: string;
  /** Start of the traffic in clock time; earlier records are ignored. */
  readonly sinceMs: number;
  /** Returns the end of the interval for cost and decisions: now, or the end of the traffic. */
  readonly untilMs: () => number;
  readonly nowMs: () => number;
}

function snapshotOf(
  view: AgentView,
  { preset }: DemoBoard,
  capacityScale: number,
  measuredQps: number | null,
  share: number | null,
) {
  const profileQps = profileCapacityQps(preset, view.powerMode.reported);
  return {
    agentId: view.agentId,
    board: preset,
    online: view.status === "online",
    role: view.role.reported ?? view.role.desired ?? "unknown",
    powerMode: view.powerMode.reported,
    watts: view.watts,
    qps: view.qps,
    profileQps: profileQps === null ? null : profileQps * capacityScale,
    measuredQps,
    forecastPeakQps: view.forecastPeakQps,
    share,
  } satisfies AgentSnapshot;
}

const noRoutes: RoutesView = { routes: [], refused: 0, extraAttempts: { retry: 0, hedge: 0 }, usd: 0 };

/** Share of the requests that a backend answered; null without any. */
function shareOf({ routes }: RoutesView, backend: string): number | null {
  const sum = (own: RoutesView["routes"]) => own.reduce((total, { requests }) => total + requests, 0);
  const all = sum(routes);
  return all === 0 ? null : sum(routes.filter((route) => route.backend === backend)) / all;
}

/** Cost by the controller; null while the cost of the reference, all agents on, is unknown. */
export function costView(report: CostReport): CostView | null {
  const { allOn } = report;
  if (allOn === null) return null;
  const amountsOf = (amounts: typeof allOn | CostReport) => ({
    energyKwh: amounts.energyKwh,
    costUsd: amounts.totalUsd,
    energyUsd: amounts.energyUsd,
    amortisationUsd: amounts.amortisationUsd,
    offersUsd: amounts.offersUsd,
  });
  return { run: amountsOf(report), reference: amountsOf(allOn) };
}

/** Costs by who pays them, of an allocation by tenant and model. */
export function paidBy(allocation: Readonly<Record<string, AllocationView>>): PaidBy {
  const { __idle__: idle, ...rows } = allocation;
  const tenants = Object.values(rows).map((row) => ({
    ...{ tenant: row.properties.namespace ?? "", model: row.properties.container ?? "", requests: row.requests },
    ...{ activeKwh: row.energyKwh, boardHours: row.gpuHours, boardsUsd: row.gpuCost, offersUsd: row.externalCost },
  }));
  const cost = ({ boardsUsd, offersUsd }: TenantCost) => boardsUsd + offersUsd;
  return { tenants: tenants.sort((a, b) => cost(b) - cost(a)), idleUsd: idle?.totalCost ?? 0 };
}

/** Polls the controller for the fleet's state and its events since the start, and the entry for the routes. */
export class FleetFollower {
  readonly #options: FollowOptions;
  readonly #abort = new AbortController();
  readonly #loops: Promise<void>[] = [];
  readonly #forecasts: ForecastReport[] = [];
  readonly #switches: PowerModeSwitch[] = [];
  #agents: readonly AgentSnapshot[] = [];
  #measured: ReadonlyMap<string, MeasuredCapacity | null> = new Map();
  readonly #found = new Map<string, CapacityFound>();
  #cost: CostView | null = null;
  #paidBy: PaidBy = { tenants: [], idleUsd: 0 };
  #routes: RoutesView = noRoutes;
  #forecastAccuracy: ForecastAccuracy | null = null;
  #decisions: readonly DecisionSummary[] = [];

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loops.push(
      this.#repeat(() => this.#queryAgents(), agentsPeriodMs),
      this.#repeat(() => this.#queryRecords(), recordsPeriodMs),
    );
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#loops);
  }

  get agents(): readonly AgentSnapshot[] {
    return this.#agents;
  }

  /** Capacity that each agent measured last, in the mode that it was in. */
  get capacities(): readonly CapacityFound[] {
    return [...this.#found.values()];
  }

  /** Routes of the requests so far. */
  get routes(): RoutesView {
    return this.#routes;
  }

  /** Forecasts of the controller that were seen, oldest first. */
  get forecasts(): readonly ForecastReport[] {
    return this.#forecasts;
  }

  get modeSwitches(): readonly PowerModeSwitch[] {
    return this.#switches;
  }

  /** Decisions, oldest first. */
  get decisions(): readonly DecisionSummary[] {
    return this.#decisions;
  }

  /** Costs by who pays them, as far as they are on record. */
  get paidBy(): PaidBy {
    return this.#paidBy;
  }

  get cost(): CostView | null {
    return this.#cost;
  }

  /** Accuracy of the controller's forecasts, as measured by itself. */
  get forecastAccuracy(): ForecastAccuracy | null {
    return this.#forecastAccuracy;
  }

  /** Queries everything once more. Rejects when the controller does not answer. */
  async refresh(): Promise<void> {
    await this.#queryAgents();
    await this.#queryRecords();
  }

  async #queryAgents(): Promise<void> {
    const { controller, boards, capacityScale, nowMs } = this.#options;
    const [views, { forecast }] = await Promise.all([controller.agents(), controller.fleet()]);
    const before = new Map(this.#agents.map(({ agentId, powerMode }) => [agentId, powerMode]));
    this.#agents = boards.flatMap((board) => {
      const view = views.find(({ agentId }) => agentId === board.agentId);
      if (view === undefined) return [];
      const measured = this.#measured.get(board.agentId);
      const isOfMode = measured?.modeName === view.powerMode.reported;
      const measuredQps = isOfMode ? (measured?.qps ?? null) : null;
      return [snapshotOf(view, board, capacityScale, measuredQps, shareOf(this.#routes, board.agentId))];
    });
    for (const { agentId, powerMode } of this.#agents) {
      const from = before.get(agentId);
      if (!from || powerMode === null || from === powerMode) continue;
      this.#switches.push({ atMs: Math.round(nowMs()), agentId, from, to: powerMode });
    }
    if (forecast !== null && forecast.madeAtMs !== this.#forecasts.at(-1)?.madeAtMs) this.#forecasts.push(forecast);
  }

  async #queryRecords(): Promise<void> {
    const { controller, sinceMs, untilMs, agents, entryUrl } = this.#options;
    const [newestFirst, report, accuracy, measured, metrics, allocation] = await Promise.all([
      controller.decisions(sinceMs),
      controller.cost(sinceMs, Math.max(untilMs(), sinceMs + 1)),
      controller.forecastAccuracy(),
      measuredCapacities(agents),
      getText(`${entryUrl}/metrics`, viewerKey),
      controller.allocation(sinceMs, Math.max(untilMs(), sinceMs + 1)),
    ]);
    this.#paidBy = paidBy(allocation);
    this.#routes = readRoutes(metrics);
    this.#noteMeasured(measured);
    this.#forecastAccuracy = accuracy;
    this.#decisions = newestFirst
      .filter(({ atMs }) => atMs <= untilMs())
      .map(({ atMs, kind, reason, outcome }) => ({
        atMs,
        kind,
        reason,
        activated: outcome.activated,
        stoodBy: outcome.stoodBy,
      }))
      .reverse();
    this.#cost = costView(report);
  }

  #noteMeasured(measured: ReadonlyMap<string, MeasuredCapacity | null>): void {
    this.#measured = measured;
    const { boards, capacityScale } = this.#options;
    for (const { agentId, preset } of boards) {
      const { modeName, qps } = measured.get(agentId) ?? {};
      const profileQps = profileCapacityQps(preset, modeName ?? null);
      if (!modeName || qps === undefined || profileQps === null) continue;
      this.#found.set(agentId, { agentId, modeName, measuredQps: qps, profileQps: profileQps * capacityScale });
    }
  }

  /** Repeats a query. A failed one is ignored: the process of a controller that has ended is watched. */
  async #repeat(query: () => Promise<void>, periodMs: number): Promise<void> {
    while (!this.#abort.signal.aborted) {
      await query().catch(() => {});
      if (!this.#abort.signal.aborted) await Bun.sleep(periodMs);
    }
  }
}
