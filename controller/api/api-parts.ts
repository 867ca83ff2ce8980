import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { Rollout } from "#controller/rollout/rollout.ts";
import type { DecisionLoop } from "#controller/scaling/loop/decision-loop.ts";
import type { FleetFreeze } from "#controller/scaling/loop/fleet-freeze.ts";
import type { Overrides } from "#controller/scaling/loop/overrides.ts";
import type { AccuracyWindow } from "#forecast/accuracy/accuracy-metrics.ts";
import type { LiveAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import type { Forecaster } from "#forecast/forecaster.ts";
import type { Broker } from "#protocol/broker.ts";
import type { ForecastAccuracy } from "#protocol/messages.ts";
import type { Alerts } from "../alerts/assemble-alerts.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { CostHistory } from "../cost/history/cost-history.ts";
import type { CostLedger } from "../cost/ledger/cost-ledger.ts";
import type { Prices } from "../cost/price-minute.ts";
import type { PriceSource } from "../cost/prices/price-source.ts";
import type { PowerAssumptions } from "../cost/report-power.ts";
import type { FleetHistory } from "../dashboard/fleet-history.ts";
import type { FleetStreams } from "../dashboard/fleet-streams.ts";
import type { FleetWatch } from "../dashboard/fleet-watch.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { IngestCounts } from "../fleet/ingest-counts.ts";
import type { Retirement } from "../fleet/retire-agents.ts";
import type { LivePolicy } from "../scaling/policy/live-policy.ts";
import type { SloReports } from "../slo/slo-reports.ts";
import type { CostStore } from "../store/costs/cost-rows.ts";
import type { DecisionStore, KeptStore, MinuteStore, SetAsideStore } from "../store/store.ts";

export interface ApiParts {
  readonly fleetName: string;
  readonly fleet: Fleet;
  readonly desired: DesiredDocuments;
  readonly loop: DecisionLoop;
  /** Accuracy of the fleet's forecasts, by window. */
  readonly accuracyOf: (window: AccuracyWindow) => ForecastAccuracy;
  readonly accuracy: Pick<LiveAccuracy, "peaks">;
  readonly forecaster: Pick<Forecaster, "describe">;
  /** Figures of the fleet, and what changed in them. */
  readonly watch: FleetWatch;
  readonly streams: FleetStreams;
  readonly fleetHistory: FleetHistory;
  readonly overrides: Overrides;
  readonly freeze: FleetFreeze;
  readonly rollout: Pick<Rollout, "current">;
  /** The scaling policy; null: none is configured. */
  readonly policy: Pick<LivePolicy, "status"> | null;
  readonly store: MinuteStore & CostStore & SetAsideStore & DecisionStore & KeptStore;
  readonly sloReports: SloReports;
  readonly counts: IngestCounts;
  readonly retirement: Retirement;
  readonly audit: AuditLog;
  readonly alerts: Alerts;
  readonly history: CostHistory;
  readonly broker: Broker;
  readonly prices: Prices;
  /** Creates the prices for a report: of the catalogue, else the configured ones. */
  readonly openPrices: () => PriceSource;
  /** Makes and reads cost lines. */
  readonly ledger: CostLedger;
  /** Zone of named days, weeks and months. */
  readonly timeZone: string;
  readonly powerAssumptions: PowerAssumptions;
  readonly staleAfterMs: number;
  readonly capacityPerReplicaQps: number;
  /** Minutes of the forecast that decisions are about. */
  readonly horizonMinutes: number;
  readonly startedAtMs: number;
  readonly nowMs: () => number;
}
