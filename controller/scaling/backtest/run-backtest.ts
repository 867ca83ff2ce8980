import type { Calendar } from "#forecast/data/calendar.ts";
import { minuteMs } from "#platform/time.ts";
import type { ScalingPolicy } from "../policy/scaling-policy.ts";
import type { BacktestFleet } from "./backtest-fleet.ts";
import type { BacktestPolicy, PolicyView } from "./backtest-policy.ts";
import { type CapacityError, noCapacityError, profiledFleet, trueFactors, trueShare } from "./capacity-error.ts";
import { hpa, kedaCron, predictive, staticAll, staticPeak, threshold, usualTarget } from "./counting-policies.ts";
import { MeasuredCapacity } from "./measured-capacity.ts";
import { fleetPlan, oracle } from "./planning-policies.ts";
import { createForecastReplay, type ForecastReplay } from "./replay-forecasts.ts";
import { replayScalingPolicy } from "./scaling-policy-replay.ts";
import { type FleetState, initialState, type MinuteOutcome, simulateMinute } from "./simulate-fleet.ts";

type CreatePolicy = (fleet: BacktestFleet, rates: readonly number[], target: number) => BacktestPolicy;

const policiesByName = {
  "static-all": staticAll,
  "static-peak": (fleet, rates) => staticPeak(fleet, Math.max(...rates)),
  hpa: (fleet, _rates, target) => hpa(fleet, target),
  "hpa-slo": (fleet, _rates, target) => hpa(fleet, target),
  "keda-cron": (fleet, _rates, target) => kedaCron(fleet, target),
  "keda-cron-slo": (fleet, _rates, target) => kedaCron(fleet, target),
  threshold,
  predictive,
  "fleet-plan": fleetPlan,
  oracle,
} satisfies Record<string, CreatePolicy>;
export type BacktestPolicyName = keyof typeof policiesByName;

/** Policies that come with the program. */
export const backtestPolicies = Object.keys(policiesByName) as BacktestPolicyName[];

/** Recorded traffic, a rate for each minute. */
export interface BacktestTraffic {
  readonly startMs: number;
  readonly rates: readonly number[];
  readonly calendar: Calendar;
}

export interface PolicyResult {
  readonly policy: string;
  /** Target utilisation found for a policy that is tuned with hindsight; null for all others. */
  readonly tunedTarget: number | null;
  /** Price of electricity, starts, hours and requests, and of what was lost at the fleet's price of a request for which there is no capacity. */
  readonly costUsd: number;
  /** Part of it for lost requests. */
  readonly lostUsd: number;
  readonly energyKwh: number;
  /** Minutes in which the latency was above the SLO or requests were lost, of all. */
  readonly sloMinutes: number;
  readonly sloMinutesPercent: number;
  readonly lostRequests: number;
  readonly activations: number;
  readonly modeSwitches: number;
  /** Changes of direction (more units, then fewer, or the reverse) within 15 minutes. */
  readonly reversals: number;
  /** Mean time from when added units serve to when they are first needed; negative: too late. Null when none was needed. */
  readonly leadTimeMinutes: number | null;
  /** Requests served, as a share of the capacity that served. */
  readonly utilization: number;
  readonly minutes: readonly MinuteOutcome[];
}

/** A policy to play, under its own name and with its own targets for the fleet. */
export interface PolicyChoice {
  readonly label: string;
  readonly policy: BacktestPolicyName | ScalingPolicy;
  /** Targets that the policy sees in place of the fleet's; the simulation uses the fleet's own. */
  readonly terms: Partial<Pick<BacktestFleet, "targetUtilization" | "spareDevices" | "shortfallUsdPerRequest">>;
}

/** Quantile of the rates that is covered: they go above it in one minute of two hundred. */
const quantile = 0.995;
const reversalMinutes = 15;
/** Additions that are not needed within this time are not counted in the lead time. */
const maxLeadMinutes = 60;

/** Target utilisations that are tried for the tuned policies, cheapest first, and the share of SLO minutes they have to keep. */
const triedTargets = [0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2];
const tunedSloPercent = 0.1;
const isTuned = (policy: PolicyChoice["policy"]) => policy === "hpa-slo" || policy === "keda-cron-slo";

/**
 * Finds the highest of the tried targets at which the policy keeps the SLO in all but one minute of a thousand, as an operator with the whole
 * record would; the lowest of them when none does.
 */
function tune(play: (target: number) => PolicyResult): PolicyResult {
  let [from, to] = [0, triedTargets.length - 1];
  let best: PolicyResult | null = null;
  while (from < to || best === null) {
    const middle = (from + to) >> 1;
    const tunedTarget = triedTargets[middle] as number;
    const result = { ...play(tunedTarget), tunedTarget };
    if (result.sloMinutesPercent <= tunedSloPercent) {
      best = result;
      to = middle;
      if (from === to) break;
    } else if (from === to) return result;
    else from = middle + 1;
  }
  return best;
}

/** Counts changes of direction of the units that are on that follow the previous change within 15 minutes. */
export function countReversals(unitsOn: readonly number[]): number {
  let reversals = 0;
  let last = { minute: Number.NEGATIVE_INFINITY, direction: 0 };
  for (let minute = 1; minute < unitsOn.length; minute += 1) {
    const direction = Math.sign((unitsOn[minute] as number) - (unitsOn[minute - 1] as number));
    if (direction === 0) continue;
    if (direction === -last.direction && minute - last.minute <= reversalMinutes) reversals += 1;
    last = { minute, direction };
  }
  return reversals;
}

function meanLeadMinutes(
  rates: readonly number[],
  minutes: readonly MinuteOutcome[],
  targetUtilization: number,
): number | null {
  const leads: number[] = [];
  for (let minute = 1; minute < minutes.length; minute += 1) {
    const before = (minutes[minute - 1] as MinuteOutcome).capacityQps * targetUtilization;
    if ((minutes[minute] as MinuteOutcome).capacityQps * targetUtilization <= before * (1 + 1e-9)) continue;
    const from = Math.max(0, minute - reversalMinutes);
    const needed = rates.slice(from, minute + maxLeadMinutes).findIndex((qps) => qps > before);
    if (needed >= 0) leads.push(from + needed - minute);
  }
  return leads.length === 0 ? null : leads.reduce((sum, lead) => sum + lead, 0) / leads.length;
}

/**
 * Plays the record with one policy after the other. The same input gives the same figures.
 * @param capacityError how far policies are wrong about the fleet at first; those of the controller measure it, the oracle knows it
 * @param onMinute called after each minute that was played, with the number of those and of all; a tuned policy plays more than once
 */
export function runBacktest(
  fleet: BacktestFleet,
  traffic: BacktestTraffic,
  choices: readonly PolicyChoice[],
  capacityError: CapacityError = noCapacityError,
  onMinute: (played: number, total: number) => void = () => undefined,
): PolicyResult[] {
  const { rates, startMs, calendar } = traffic;
  const replay = createForecastReplay(rates, startMs, calendar, quantile);
  const forecasts: ForecastReplay[] = [];
  // All policies get the same forecasts, made once, in order.
  const forecastAt = (minute: number): ForecastReplay => {
    while (forecasts.length <= minute) forecasts.push(replay(forecasts.length));
    return forecasts[minute] as ForecastReplay;
  };
  return choices.map(({ label, policy: name, terms }, place) => {
    const seen = name === "oracle" ? fleet : profiledFleet(fleet, capacityError);
    const play = (target: number) => playPolicy(label, name, { ...seen, ...terms }, target, place);
    return isTuned(name) ? tune(play) : play(usualTarget);
  });

  function playPolicy(
    label: string,
    name: PolicyChoice["policy"],
    seen: BacktestFleet,
    target: number,
    place: number,
  ): PolicyResult {
    const create: CreatePolicy =
      typeof name === "string" ? policiesByName[name] : () => replayScalingPolicy(name, seen);
    const policy = create(seen, rates, target);
    const profileTimes = capacityError.kind === "factor" ? 1 / capacityError.factor : 1;
    const measured = new MeasuredCapacity(seen, profileTimes);
    const state: FleetState = initialState(fleet);
    const minutes: MinuteOutcome[] = [];
    for (const [minute, demandQps] of rates.entries()) {
      const view: PolicyView = {
        fleet: measured.fleet,
        isProven: capacityError === noCapacityError || name === "oracle" || measured.isProven,
        minute,
        atMs: startMs + minute * minuteMs,
        state,
        newest: minutes.at(-1) ?? null,
        rateAt: (passed) => (passed >= 0 && passed < minute ? (rates[passed] as number) : 0),
        forecast: () => forecastAt(minute),
        futureQps: (count) =>
          Array.from({ length: count }, (_, ahead) => rates[minute + ahead] ?? (rates.at(-1) as number)),
      };
      const outcome = simulateMinute(fleet, state, policy.decide(view), demandQps, minute, (place) =>
        trueShare(capacityError, place, minute),
      );
      minutes.push(outcome);
      onMinute(place * rates.length + minute + 1, choices.length * rates.length);
      if (capacityError === noCapacityError) continue;
      if (name === "oracle") measured.adopt(trueFactors(fleet, capacityError, minute + 1));
      else measured.observe(outcome.work);
    }
    return summarise(label, rates, minutes, fleet);
  }
}

function summarise(
  policy: string,
  rates: readonly number[],
  minutes: readonly MinuteOutcome[],
  { targetUtilization, shortfallUsdPerRequest }: BacktestFleet,
): PolicyResult {
  const total = (pick: (minute: MinuteOutcome) => number) => minutes.reduce((sum, minute) => sum + pick(minute), 0);
  const sloMinutes = total(({ sloKept }) => (sloKept ? 0 : 1));
  const lostRequests = 60 * total(({ lostQps }) => lostQps);
  const capacity = total(({ capacityQps }) => capacityQps);
  return {
    policy,
    tunedTarget: null,
    costUsd: total(({ costUsd }) => costUsd) + lostRequests * shortfallUsdPerRequest,
    lostUsd: lostRequests * shortfallUsdPerRequest,
    energyKwh: total(({ energyKwh }) => energyKwh),
    sloMinutes,
    sloMinutesPercent: (100 * sloMinutes) / minutes.length,
    lostRequests,
    activations: total(({ activations }) => activations),
    modeSwitches: total(({ modeSwitches }) => modeSwitches),
    reversals: countReversals(minutes.map(({ unitsOn }) => unitsOn)),
    leadTimeMinutes: meanLeadMinutes(rates, minutes, targetUtilization),
    utilization: capacity > 0 ? total(({ servedQps }) => servedQps) / capacity : 0,
    minutes,
  };
}
