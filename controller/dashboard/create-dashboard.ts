import type { Registry } from "prom-client";
import type { KeptRollout } from "#controller/rollout/rollout-schemas.ts";
import { medianPeakQps } from "#forecast/median-peak.ts";
import { registerGauge, registerTotal } from "#platform/fetch/scraped-metrics.ts";
import { secondMs } from "#platform/time.ts";
import { version } from "#platform/version.ts";
import type { ApiParts } from "../api/api-parts.ts";
import type { ControllerConfig } from "../config.ts";
import { FleetHistory } from "./fleet-history.ts";
import { FleetStreams } from "./fleet-streams.ts";
import { FleetWatch } from "./fleet-watch.ts";

export interface DashboardParts extends Omit<ApiParts, "watch" | "streams" | "fleetHistory"> {
  readonly registry: Registry;
  readonly config: Pick<ControllerConfig, "slo" | "scaling">;
  /** Address of the controller that leads; null: unknown. Absent: this one leads. */
  readonly leader?: () => string | null;
  readonly isAllowed: (request: Request) => boolean | Promise<boolean>;
}

/** Alerts that are shown; the rest is counted. */
const maxShownAlerts = 20;
/** Alerts are looked for each minute, and their texts say how long they last. */
const alertsEachMs = 10 * secondMs;
const maxPlanReasons = 10;

/** Alerts as the overview shows them, read at most every ten seconds. */
function shownAlerts({ alerts: { monitor }, nowMs }: Pick<DashboardParts, "alerts" | "nowMs">) {
  const read = () => {
    const all = monitor.alerts();
    const firing = all.filter(({ status }) => status === "firing");
    const active = all.filter(({ status }) => status !== "resolved").slice(0, maxShownAlerts);
    return {
      readAtMs: nowMs(),
      firing: firing.length,
      list: active.map(({ key, rule, severity, status, summary, text, sinceMs, silenced }) => ({
        ...{ key, rule, severity, status: status as "pending" | "firing", summary, text, sinceMs, silenced },
      })),
    };
  };
  let newest: ReturnType<typeof read> | null = null;
  return () => {
    if (newest === null || Math.abs(nowMs() - newest.readAtMs) >= alertsEachMs) newest = read();
    return newest;
  };
}

function shownDecision(latest: ReturnType<DashboardParts["loop"]["latest"]>) {
  if (latest === null) return null;
  const { atMs, decision } = latest;
  const { kind, rule, reason, plan } = decision;
  return {
    ...{ atMs, kind, rule, reason },
    plan:
      plan === undefined
        ? null
        : {
            ...{ devices: plan.devices, feasible: plan.feasible, costUsd: plan.costUsd },
            reasons: (plan.reasons ?? []).slice(0, maxPlanReasons),
          },
  };
}

function shownRollout(rollout: KeptRollout | null) {
  if (rollout === null || rollout.state === "done" || rollout.state === "stopped") return null;
  const { plan, state, wave, reason } = rollout;
  return { version: plan.version, state, wave: wave + 1, waves: plan.waves.length, reason };
}

/** Connects the live view of the fleet. Nothing is read before the first client asks. */
export function createDashboard(parts: DashboardParts): Pick<ApiParts, "watch" | "streams" | "fleetHistory"> {
  const { fleet, desired, loop, ledger, alerts, broker, config, registry, leader, nowMs } = parts;
  const alertsNow = shownAlerts(parts);
  const peakQps = () => {
    const forecast = loop.latestForecast();
    return forecast === null ? null : medianPeakQps(forecast);
  };
  const watch = new FleetWatch({
    ...{ fleet, desired, staleAfterMs: parts.staleAfterMs, nowMs },
    pricesAt: (agentId, timeMs) => ledger.pricesAt(agentId, timeMs),
    capacities: () => loop.latestCapacities(),
    sources() {
      const latest = loop.latest();
      const atMs = alerts.monitor.lookedAtMs();
      return {
        maxDataAgeMs: config.scaling.maxDataAgeMs,
        decisionEachMs: config.scaling.intervalMs,
        brokerConnected: broker.connected,
        usualCapacityPerS: parts.capacityPerReplicaQps,
        p95TargetMs: config.slo.p95Ms,
        forecast: loop.latestForecast(),
        peakTextsPerS: peakQps(),
        decision: latest === null ? null : { atMs: latest.atMs, needed: latest.decision.figures.need },
        alerts: atMs === null ? null : { atMs, firing: alertsNow().firing },
      };
    },
    sections() {
      const freeze = parts.freeze.current();
      const policy = parts.policy?.status();
      return {
        fleet: parts.fleetName,
        controller: {
          ...{ version, startedAtMs: parts.startedAtMs, brokerConnected: broker.connected },
          role: leader === undefined ? ("leading" as const) : ("standing by" as const),
          leader: leader?.() ?? null,
        },
        forecast: loop.latestForecast(),
        forecastPeakQps: peakQps(),
        latestDecision: shownDecision(loop.latest()),
        freeze: freeze === null ? null : { reason: freeze.reason, untilMs: freeze.untilMs },
        rollout: shownRollout(parts.rollout.current()),
        policy: policy === undefined ? null : { name: policy.name, mode: policy.mode, problem: policy.problem },
        alerts: alertsNow().list,
      };
    },
  });
  const streams = new FleetStreams({ watch, isAllowed: parts.isAllowed });
  registerGauge(registry, "thormesh_fleet_streams", "Open streams of the live fleet", () => streams.size);
  registerTotal(
    registry,
    "thormesh_fleet_streams_refused_total",
    "Streams of the live fleet refused because too many were open",
    () => streams.refused,
  );
  return { watch, streams, fleetHistory: new FleetHistory() };
}
