import type { PowerModeDecision } from "./decide-power-mode.ts";
import type { MissedSlo } from "./felt-load.ts";
import type { DemandBasis, PowerModeGrounds } from "./power-mode-choice.ts";

/** Decision as it is served and printed: with its sentences. */
export type ExplainedPowerMode = PowerModeDecision & {
  readonly reason: string;
  readonly refused: (NonNullable<PowerModeDecision["refused"]> & { readonly reason: string }) | null;
};

const qps = (value: number): string => `${Number(value.toPrecision(3))} qps`;

function demandToText({ source, qps: rate, upperQps, hasForecast }: DemandBasis): string {
  if (source === "live") return `the live rate of ${qps(rate)}${hasForecast ? "" : " (no forecast available)"}`;
  return `the forecast maximum of ${qps(rate)}${upperQps === null ? "" : ` (upper bound ${qps(upperQps)})`}`;
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

function missedToText({ by, requests, refused, p95Ms }: MissedSlo): string {
  if (by === "refusals") return `${refused} of ${requests + refused} requests were refused`;
  return `the p95 of ${requests} requests was ${Math.round(p95Ms ?? 0)} ms`;
}

function groundsToText(grounds: PowerModeGrounds): string {
  switch (grounds.rule) {
    case "no-modes":
      return "the board has no power modes";
    case "held":
      return `${grounds.mode} is held by the controller`;
    case "standby":
      return "standby: using the most frugal mode";
    case "service-started":
      return "service has just started and the demand is not known yet: using the most capable mode";
    case "configured":
      return `${grounds.mode} is configured`;
    case "configured-mode-unknown":
      return `this board has no mode ${grounds.mode}, which the configuration names: using the most capable mode`;
    case "no-rate":
      return "no forecast and no live rate: using the most capable mode";
    case "carries":
      return `${grounds.mode} carries ${demandToText(grounds.demand)}`;
    case "needs":
      return `${demandToText(grounds.demand)} needs ${grounds.mode}`;
    case "near-limit":
      return `${demandToText(grounds.demand)} is too close to the limit of ${grounds.mode} to step down`;
    case "saves-too-little":
      return `${grounds.mode} would carry ${demandToText(grounds.demand)}, but it saves only ${grounds.savedJ.toFixed(0)} J in ${grounds.windowS / 60} minutes, and two switches cost ${grounds.costJ.toFixed(0)} J`;
    case "no-switches-left":
      return `${grounds.mode} would carry ${demandToText(grounds.demand)}, but there were already ${grounds.switchesInLastDay} switches in the last 24 hours`;
    case "dwell":
      return `${grounds.mode} would carry ${demandToText(grounds.demand)}, but a mode is kept for ${Math.round(grounds.dwellMs / 1000)} s after a switch`;
    case "slo-missed":
      return `${missedToText(grounds.missed)}: using ${grounds.mode}`;
    case "step-down-failed":
      return `${missedToText(grounds.missed)} after the last step down: back to ${grounds.mode}`;
    case "slo-missed-lately":
      return `${grounds.mode} would carry the demand, but users waited too long or were refused ${seconds(grounds.missedForMs)} ago: no step down for ${seconds(grounds.calmMs)}`;
    case "held-off":
      return `${grounds.mode} would carry the demand, but the last step down missed the SLO: none for another ${seconds(grounds.leftMs)}`;
    default:
      return grounds satisfies never;
  }
}

/** Returns the sentence that a person reads about a decision. */
export function explainPowerMode(decision: PowerModeDecision): string {
  const { cap, passedOver } = decision;
  const grounds = groundsToText(decision);
  if (passedOver !== undefined)
    return `${passedOver.mode} can't be entered (${passedOver.reason}): using the best mode that can be (${grounds})`;
  if (cap === null) return grounds;
  const bound =
    cap.by === "heat" ? `${cap.temperatureC} °C: capped at ${cap.mode}` : `capped at ${cap.mode} by the controller`;
  return `${bound} (${grounds})`;
}

/** Returns the decision with its sentences, as status, log and `thormesh decide` show it. */
export function withReason(decision: PowerModeDecision): ExplainedPowerMode {
  const reason = explainPowerMode(decision);
  const { refused } = decision;
  if (refused === null) return { ...decision, refused, reason };
  const refusal =
    refused.rule === "capped"
      ? reason
      : `not among the modes that this board can enter: ${refused.knownModes.join(", ")}`;
  return { ...decision, reason, refused: { ...refused, reason: refusal } };
}
