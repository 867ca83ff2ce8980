import type { Composer, Composition, UnitBlock } from "../fleet-plan/composition.ts";
import { createMissBudget } from "../fleet-plan/miss-budget.ts";
import type { BacktestFleet, FleetDevices, FleetOffer } from "./backtest-fleet.ts";
import type { BacktestPolicy, PolicyView } from "./backtest-policy.ts";
import { horizonMinutes } from "./replay-forecasts.ts";
import { type FleetState, type FleetTarget, off } from "./simulate-fleet.ts";
import { createFleetComposer } from "./unit-blocks.ts";

const minuteS = 60;
/** Minutes that units stay after they were last wanted, this one included, so that nothing flaps. */
const keptMinutes = 15;
/** Price of traffic the plan does not cover, as a share of a lost request: it is rare. */
const coverShare = 0.02;
/**
 * Share of a minute's cost that a change of modes has to save. At 0.07 a board changes some 40 times a day, as often as an agent's own choice
 * may; at 0.03 it was twice as often, for 1.5 % of the cost.
 */
const worthwhile = 0.07;
/** The oracle changes for less: it is the bound that others are compared with. */
const worthwhileForOracle = 0.03;
/** Steps per factor of e: rates within a fiftieth of each other are planned for alike. */
const rateSteps = 50;

interface Needs {
  readonly expectedQps: readonly number[];
  readonly coverQps: readonly number[];
}

const asTheyAre = ({ devices, cloud }: FleetState): FleetTarget => ({
  modes: devices.map(({ mode }) => mode),
  units: cloud.map(({ serving, startingS }) => serving + startingS.length),
});

/** State of a group of equal units. */
interface GroupState {
  readonly on: number;
  /** Units that serve; the others of `on` are starting. */
  readonly serving: number;
  /** Units that may be started, and those that may be stopped. */
  readonly startable: readonly number[];
  readonly stoppable: readonly number[];
}

/** Number of steps that a unit is kept for its next use: as long as that costs less than stopping and starting it. */
function keptSteps(startUsd: number, startingUsd: number, startupS: number, idleUsd: number): number {
  const againUsd = startUsd + Math.ceil(startupS / minuteS) * startingUsd;
  // A make that can't be used at all has no price.
  if (!Number.isFinite(idleUsd)) return 0;
  return idleUsd <= 0 ? horizonMinutes : Math.min(horizonMinutes, Math.floor(againUsd / idleUsd));
}

/** Starting time of a group's units in steps, and steps that a unit is kept for its next use. */
interface GroupTiming {
  readonly startSteps: number;
  readonly kept: number;
}

function timingOf(fleet: BacktestFleet, { blocks, places }: Composer): GroupTiming[] {
  return [
    ...fleet.devices.map(({ startupCostUsd, startupS }, group) => {
      const idleUsd = Math.min(...(places[group] as number[]).map((place) => (blocks[place] as UnitBlock).idleUsd));
      return { startupS, kept: keptSteps(startupCostUsd, Math.max(0, idleUsd), startupS, idleUsd) };
    }),
    ...fleet.cloud.map(({ startupS, usdPerHour }) => ({
      startupS,
      kept: keptSteps(0, usdPerHour / 60, startupS, usdPerHour / 60),
    })),
  ].map(({ startupS, kept }) => ({ startSteps: Math.ceil(startupS / minuteS), kept }));
}

function stepsOf(timing: readonly GroupTiming[]): number {
  const longest = Math.max(...timing.map(({ startSteps, kept }) => Math.max(startSteps, kept)));
  return Math.min(horizonMinutes, 1 + longest);
}

/** Plans each minute by the cheapest compositions of the coming minutes. */
class PlanningPolicy implements BacktestPolicy {
  readonly #needs: (view: PolicyView) => Needs | null;
  readonly #worthwhile: number;
  /** Number of units of each group: devices by make, then offers. */
  readonly #sizes: readonly number[];
  #fleet: BacktestFleet;
  #composer: Composer;
  #timing: readonly GroupTiming[];
  /** Number of coming minutes that count. */
  #steps: number;
  /** Cheapest compositions for single minutes with all units free to serve, by rate. */
  readonly #known = new Map<number, Composition>();
  /** Counts wanted in the newest minutes, newest first. */
  #newest: (readonly number[])[] = [];

  constructor(fleet: BacktestFleet, needs: (view: PolicyView) => Needs | null, worthwhileShare = worthwhile) {
    this.#worthwhile = worthwhileShare;
    this.#needs = needs;
    this.#sizes = [...fleet.devices.map(({ count }) => count), ...fleet.cloud.map(({ max }) => max)];
    this.#fleet = fleet;
    this.#composer = createFleetComposer(fleet, coverShare);
    this.#timing = timingOf(fleet, this.#composer);
    this.#steps = stepsOf(this.#timing);
  }

  decide(view: PolicyView): FleetTarget {
    if (view.fleet !== this.#fleet) this.#adopt(view.fleet);
    const need = this.#needs(view);
    // Nothing is known yet: nothing is changed.
    if (need === null || !view.isProven) return asTheyAre(view.state);
    const states = this.#groupStates(view);
    const wanted = this.#countsFor(need, states);
    this.#newest = [wanted, ...this.#newest].slice(0, keptMinutes);
    // No unit goes that was wanted a short while ago.
    const counts = wanted.map((_, group) => Math.max(...this.#newest.map((each) => each[group] as number)));
    const makes = this.#fleet.devices.length;
    const targetOn = view.state.devices.map(({ mode }) => mode !== off);
    for (const [group, { on, startable }] of states.slice(0, makes).entries()) {
      for (const place of startable.slice(0, Math.max(0, (wanted[group] as number) - on))) targetOn[place] = true;
    }
    for (const [group, { on, stoppable }] of states.slice(0, makes).entries()) {
      const surplus = Math.max(0, on - (counts[group] as number));
      for (const place of stoppable.slice(Math.max(0, stoppable.length - surplus))) targetOn[place] = false;
    }
    return { modes: this.#assignModes(view, targetOn, need), units: counts.slice(makes) };
  }

  /** Continues with capacities that were measured since. */
  #adopt(fleet: BacktestFleet): void {
    this.#fleet = fleet;
    this.#composer = createFleetComposer(fleet, coverShare);
    this.#timing = timingOf(fleet, this.#composer);
    this.#steps = stepsOf(this.#timing);
    this.#known.clear();
  }

  #cheapestFor(expectedQps: number, coverQps: number): Composition {
    const level = (qps: number) => Math.round(Math.log(Math.max(qps, 1e-3)) * rateSteps);
    const [expected, cover] = [level(expectedQps), level(coverQps)];
    const key = expected * 100_000 + cover;
    let units = this.#known.get(key);
    if (units === undefined) {
      const need = { expectedQps: Math.exp(expected / rateSteps), coverQps: Math.exp(cover / rateSteps) };
      units = this.#composer.cheapest({ ...need, minUnits: this.#sizes.map(() => 0), maxUnits: this.#sizes }, null);
      this.#known.set(key, units);
    }
    return units;
  }

  #groupStates({ state, minute }: PolicyView): GroupState[] {
    const fleet = this.#fleet;
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
  }

  /** Returns the number of units of each group that should be on: starts that are due, and units kept because they are of use again soon. */
  #countsFor({ expectedQps, coverQps }: Needs, states: readonly GroupState[]): number[] {
    const composer = this.#composer;
    const wanted = Array.from({ length: this.#steps }, (_, step) => {
      const units = this.#cheapestFor(expectedQps[step] as number, coverQps[step] as number);
      return this.#sizes.map((_, group) => composer.countOf(units, group));
    });
    const maxUntil = (group: number, steps: number) =>
      Math.max(...wanted.slice(0, steps + 1).map((counts) => counts[group] as number));
    const counts = states.map(({ on, stoppable }, group) => {
      const { startSteps, kept } = this.#timing[group] as GroupTiming;
      const due = maxUntil(group, startSteps);
      if (due >= on) return due;
      return Math.max(maxUntil(group, Math.max(kept, startSteps)), on - stoppable.length, due);
    });
    const isShort = states.some(({ on, startable }, group) => (counts[group] as number) > on + startable.length);
    if (!isShort) return counts;
    // Other units replace those that must stay on standby.
    const highest = (values: readonly number[]) => Math.max(...values.slice(0, this.#steps));
    const minUnits = states.map(({ on, stoppable }) => on - stoppable.length);
    const maxUnits = states.map(({ on, startable }) => on + startable.length);
    const need = { expectedQps: highest(expectedQps), coverQps: highest(coverQps), minUnits, maxUnits };
    const instead = composer.cheapest(need, null);
    return counts.map((count, group) =>
      Math.min(maxUnits[group] as number, Math.max(count, composer.countOf(instead, group))),
    );
  }

  /** Assigns modes to units that serve: as they are unless others save enough; a unit that joins takes the most usual one. */
  #assignModes(view: PolicyView, targetOn: readonly boolean[], { expectedQps, coverQps }: Needs): number[] {
    const composer = this.#composer;
    const { blocks, places } = composer;
    const { devices, cloud } = view.state;
    const makes = this.#fleet.devices.length;
    const present = new Int32Array(blocks.length);
    const serving = this.#sizes.map(() => 0);
    const placeOf = (make: number, mode: number) => {
      const own = places[make] as readonly number[];
      return own.find((place) => blocks[place]?.mode === mode) ?? own[0];
    };
    for (const [index, { make, mode, startingS }] of devices.entries()) {
      if (mode === off || startingS > 0 || targetOn[index] === false) continue;
      const place = placeOf(make, mode);
      if (place === undefined) continue;
      present[place] = (present[place] as number) + 1;
      serving[make] = (serving[make] as number) + 1;
    }
    for (const [index, { serving: units }] of cloud.entries()) {
      const place = places[makes + index]?.[0];
      if (place === undefined) continue;
      present[place] = units;
      serving[makes + index] = units;
    }
    const [expected, cover] = [expectedQps[0] as number, coverQps[0] as number];
    const need = { expectedQps: expected, coverQps: cover, minUnits: serving, maxUnits: serving };
    const best = composer.cheapest(need, present);
    const saves =
      composer.usdOf(best, expected, cover) < composer.usdOf(present, expected, cover) * (1 - this.#worthwhile);
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
      const own = places[make] as readonly number[];
      if (own.length === 0) continue;
      const open = own.find((place) => (left[place] as number) > 0);
      if (open !== undefined) left[open] = (left[open] as number) - 1;
      const usual = own.reduce((a, b) => ((chosen[b] as number) > (chosen[a] as number) ? b : a), own[0] as number);
      modes[index] = (blocks[open ?? usual] as UnitBlock).mode;
    }
    return modes;
  }
}

const coming = (qpsAt: (step: number) => number) => Array.from({ length: horizonMinutes }, (_, step) => qpsAt(step));

/**
 * The fleet plan on the forecast: it pays for the expected rates and has to cover high quantiles of them, as far as past misses ask for it,
 * and never less than the newest rate or the usual one of that hour.
 */
export function fleetPlan(fleet: BacktestFleet): BacktestPolicy {
  const misses = createMissBudget();
  return new PlanningPolicy(fleet, (view) => {
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

/** The fleet plan on the rates that really come. */
export const oracle = (fleet: BacktestFleet) =>
  new PlanningPolicy(
    fleet,
    (view) => {
      const qps = view.futureQps(horizonMinutes);
      return { expectedQps: qps, coverQps: qps };
    },
    worthwhileForOracle,
  );
