import type { Composition, UnitBlock } from "../fleet-plan/composition.ts";
import { createMissBudget } from "../fleet-plan/miss-budget.ts";
import type { BacktestFleet, FleetDevices, FleetOffer } from "./backtest-fleet.ts";
import type { BacktestPolicy, PolicyView } from "./backtest-policy.ts";
import { horizonMinutes } from "./replay-forecasts.ts";
import { type FleetState, type FleetTarget, off } from "./simulate-fleet.ts";
import { createFleetComposer } from "./unit-blocks.ts";

const minuteS = 60;
/** Units stay for so many minutes after they were last wanted, this one included: so that nothing flaps. */
const keptMinutes = 15;
/** What is not covered by the plan counts for this share of a request lost: it seldom comes. */
const coverShare = 0.02;
/** A change of modes has to save this share of what the minute costs. */
const worthwhile = 0.03;
/** Rates within half a hundredth of each other are planned for alike. */
const rateSteps = 200;

interface Needs {
  readonly expectedQps: readonly number[];
  readonly coverQps: readonly number[];
}

const asTheyAre = ({ devices, cloud }: FleetState): FleetTarget => ({
  modes: devices.map(({ mode }) => mode),
  units: cloud.map(({ serving, startingS }) => serving + startingS.length),
});

/** What a group of equal units can do now. */
interface GroupState {
  readonly on: number;
  /** Serving; the others of `on` are starting. */
  readonly serving: number;
  /** May be started, may be stopped. */
  readonly startable: readonly number[];
  readonly stoppable: readonly number[];
}

/** How many steps a unit is kept for its next use: as long as that costs less than stopping and starting it. */
function keptSteps(startUsd: number, startingUsd: number, startupS: number, idleUsd: number): number {
  const againUsd = startUsd + Math.ceil(startupS / minuteS) * startingUsd;
  // Of a make that can't be used at all nothing is known.
  if (!Number.isFinite(idleUsd)) return 0;
  return idleUsd <= 0 ? horizonMinutes : Math.min(horizonMinutes, Math.floor(againUsd / idleUsd));
}

function planningPolicy(fleet: BacktestFleet, needs: (view: PolicyView) => Needs | null): BacktestPolicy {
  const composer = createFleetComposer(fleet, coverShare);
  const { blocks, places } = composer;
  const blockAt = (place: number) => blocks[place] as UnitBlock;
  const makes = fleet.devices.length;
  const sizes = [...fleet.devices.map(({ count }) => count), ...fleet.cloud.map(({ max }) => max)];
  const timing = [
    ...fleet.devices.map((make: FleetDevices, group) => {
      const idleUsd = Math.min(...(places[group] as number[]).map((place) => blockAt(place).idleUsd));
      const { startupCostUsd, startupS } = make;
      return { startupS, kept: keptSteps(startupCostUsd, Math.max(0, idleUsd), startupS, idleUsd) };
    }),
    ...fleet.cloud.map(({ startupS, usdPerHour }: FleetOffer) => ({
      startupS,
      kept: keptSteps(0, usdPerHour / 60, startupS, usdPerHour / 60),
    })),
  ].map(({ startupS, kept }) => ({ startSteps: Math.ceil(startupS / minuteS), kept }));
  const lookedAt = Math.min(
    horizonMinutes,
    1 + Math.max(...timing.map(({ startSteps, kept }) => Math.max(startSteps, kept))),
  );

  /** The cheapest composition for a minute of its own, everything being free to serve. */
  const known = new Map<number, Composition>();
  const none = sizes.map(() => 0);
  const level = (qps: number) => Math.round(Math.log(Math.max(qps, 1e-3)) * rateSteps);
  const cheapestFor = (expectedQps: number, coverQps: number): Composition => {
    const [expected, cover] = [level(expectedQps), level(coverQps)];
    const key = expected * 100_000 + cover;
    let units = known.get(key);
    if (units === undefined) {
      const need = { expectedQps: Math.exp(expected / rateSteps), coverQps: Math.exp(cover / rateSteps) };
      units = composer.cheapest({ ...need, fewest: none, most: sizes }, null);
      known.set(key, units);
    }
    return units;
  };

  const groupStates = ({ state, minute }: PolicyView): GroupState[] => {
    const ofDevices = fleet.devices.map(() => ({
      on: 0,
      serving: 0,
      startable: [] as number[],
      stoppable: [] as number[],
    }));
    for (const [place, { make, mode, startingS, sinceMinute }] of state.devices.entries()) {
      const group = ofDevices[make] as (typeof ofDevices)[number];
      const { minActiveS, minStandbyS } = fleet.devices[make] as FleetDevices;
      const forS = (minute - sinceMinute) * minuteS;
      if (mode === off) {
        if (forS >= minStandbyS) group.startable.push(place);
        continue;
      }
      group.on += 1;
      if (startingS > 0) continue;
      group.serving += 1;
      if (forS >= minActiveS) group.stoppable.push(place);
    }
    const ofOffers = state.cloud.map(({ serving, startingS }, index) => {
      const on = serving + startingS.length;
      const { max } = fleet.cloud[index] as FleetOffer;
      return { on, serving, startable: [...Array(Math.max(0, max - on)).keys()], stoppable: [...Array(on).keys()] };
    });
    return [...ofDevices, ...ofOffers];
  };

  /** How many of each group should be on: starts that are due, and those kept that are of use again soon. */
  const countsFor = ({ expectedQps, coverQps }: Needs, states: readonly GroupState[]): number[] => {
    const wanted = Array.from({ length: lookedAt }, (_, step) => {
      const units = cheapestFor(expectedQps[step] as number, coverQps[step] as number);
      return sizes.map((_, group) => composer.countOf(units, group));
    });
    const mostUntil = (group: number, steps: number) =>
      Math.max(...wanted.slice(0, steps + 1).map((counts) => counts[group] as number));
    const counts = states.map(({ on, stoppable }, group) => {
      const { startSteps, kept } = timing[group] as (typeof timing)[number];
      const due = mostUntil(group, startSteps);
      if (due >= on) return due;
      return Math.max(mostUntil(group, Math.max(kept, startSteps)), on - stoppable.length, due);
    });
    const isShort = states.some(({ on, startable }, group) => (counts[group] as number) > on + startable.length);
    if (!isShort) return counts;
    // Units that must stay on standby are stood in for by others.
    const highest = (values: readonly number[]) => Math.max(...values.slice(0, lookedAt));
    const fewest = states.map(({ on, stoppable }) => on - stoppable.length);
    const most = states.map(({ on, startable }) => on + startable.length);
    const need = { expectedQps: highest(expectedQps), coverQps: highest(coverQps), fewest, most };
    const instead = composer.cheapest(need, null);
    return counts.map((count, group) =>
      Math.min(most[group] as number, Math.max(count, composer.countOf(instead, group))),
    );
  };

  /** Modes for those that serve, as they are unless others save enough; who joins takes the most usual one. */
  const assignModes = (view: PolicyView, targetOn: readonly boolean[], { expectedQps, coverQps }: Needs): number[] => {
    const { devices, cloud } = view.state;
    const present = new Int32Array(blocks.length);
    const serving = sizes.map(() => 0);
    const placeOf = (make: number, mode: number) =>
      (places[make] as number[]).find((place) => blockAt(place).mode === mode) ?? (places[make] as number[])[0];
    for (const [index, { make, mode, startingS }] of devices.entries()) {
      if (mode === off || startingS > 0 || targetOn[index] === false) continue;
      const place = placeOf(make, mode);
      if (place === undefined) continue;
      present[place] = (present[place] as number) + 1;
      serving[make] = (serving[make] as number) + 1;
    }
    for (const [index, { serving: units }] of cloud.entries()) {
      const place = (places[makes + index] as number[])[0];
      if (place === undefined) continue;
      present[place] = units;
      serving[makes + index] = units;
    }
    const [expected, cover] = [expectedQps[0] as number, coverQps[0] as number];
    const need = { expectedQps: expected, coverQps: cover, fewest: serving, most: serving };
    const best = composer.cheapest(need, present);
    const saves = composer.usdOf(best, expected, cover) < composer.usdOf(present, expected, cover) * (1 - worthwhile);
    const chosen = saves ? best : present;
    const left = Int32Array.from(chosen);
    const modes = devices.map(({ mode }, index) => (targetOn[index] === true ? mode : off));
    const unsettled: number[] = [];
    for (const [index, { make, mode, startingS }] of devices.entries()) {
      if (targetOn[index] !== true) continue;
      const place = mode === off || startingS > 0 ? undefined : placeOf(make, mode);
      if (place !== undefined && (left[place] as number) > 0) left[place] = (left[place] as number) - 1;
      else unsettled.push(index);
    }
    for (const index of unsettled) {
      const { make } = devices[index] as (typeof devices)[number];
      const own = places[make] as number[];
      if (own.length === 0) continue;
      const open = own.find((place) => (left[place] as number) > 0);
      if (open !== undefined) left[open] = (left[open] as number) - 1;
      const usual = own.reduce((a, b) => ((chosen[b] as number) > (chosen[a] as number) ? b : a), own[0] as number);
      modes[index] = blockAt(open ?? usual).mode;
    }
    return modes;
  };

  let newest: (readonly number[])[] = [];
  return {
    decide(view) {
      const need = needs(view);
      // Nothing is known yet: nothing is changed.
      if (need === null) return asTheyAre(view.state);
      const states = groupStates(view);
      const wanted = countsFor(need, states);
      newest = [wanted, ...newest].slice(0, keptMinutes);
      /** Nobody goes that was wanted a short while ago. */
      const counts = wanted.map((_, group) => Math.max(...newest.map((each) => each[group] as number)));
      const { devices } = view.state;
      const targetOn = devices.map(({ mode }) => mode !== off);
      for (const [group, { on, startable }] of states.slice(0, makes).entries()) {
        for (const place of startable.slice(0, Math.max(0, (wanted[group] as number) - on))) {
          targetOn[place] = true;
        }
      }
      for (const [group, { on, stoppable }] of states.slice(0, makes).entries()) {
        const surplus = Math.max(0, on - (counts[group] as number));
        for (const place of stoppable.slice(Math.max(0, stoppable.length - surplus))) targetOn[place] = false;
      }
      return {
        modes: assignModes(view, targetOn, need),
        units: counts.slice(makes),
      };
    },
  };
}

const coming = (qpsAt: (step: number) => number) => Array.from({ length: horizonMinutes }, (_, step) => qpsAt(step));

/**
 * The fleet plan on the forecast: paid for is what is expected, carried must be what hardly is exceeded, as far as misses so far ask for it, and never
 * less than the newest rate or what the hour usually takes.
 */
export function fleetPlan(fleet: BacktestFleet): BacktestPolicy {
  const misses = createMissBudget();
  return planningPolicy(fleet, (view) => {
    if (view.minute === 0) return null;
    const now = view.rateAt(view.minute - 1);
    if (view.newest !== null) misses.learn(now, !view.newest.sloKept);
    const { expectedQps, highQps, usualQps } = view.forecast();
    const possibleQps = misses.coverQps(expectedQps, highQps);
    return {
      expectedQps: coming((step) => expectedQps[step] ?? now),
      coverQps: coming((step) => Math.max(now, possibleQps[step] ?? 0, usualQps[step] ?? 0)),
    };
  });
}

/** The fleet plan on what really comes. */
export const oracle = (fleet: BacktestFleet) =>
  planningPolicy(fleet, (view) => {
    const qps = view.futureQps(horizonMinutes);
    return { expectedQps: qps, coverQps: qps };
  });
