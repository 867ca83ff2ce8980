import { servicePlaces } from "./class-graph.ts";
import { type Dispatch, dispatchLoad, type LoadBlocks, loadBlocksOf } from "./dispatch-load.ts";
import type { PlanClass, PlanMode, PlanProblem } from "./plan-problem.ts";
import { off, type UnitSchedule } from "./unit-schedule.ts";

/** Load that the units of a plan can carry, step by step, and its cost; units are added and taken away. */
export class FleetLoad {
  readonly blocks: LoadBlocks;
  readonly #problem: PlanProblem;
  /** By step and block: rate that can be carried, and units that are not in the middle of a switch. */
  readonly #carried: readonly Float64Array[];
  readonly #settled: readonly Float64Array[];
  readonly #stepUsd: Float64Array;
  readonly #dispatch: Dispatch = { usd: 0, shortfallQps: 0, uncoveredQps: 0 };

  constructor(problem: PlanProblem) {
    this.#problem = problem;
    this.blocks = loadBlocksOf(problem);
    const perStep = () => new Float64Array(this.blocks.blocks.length);
    this.#carried = Array.from({ length: problem.steps }, perStep);
    this.#settled = Array.from({ length: problem.steps }, perStep);
    this.#stepUsd = new Float64Array(problem.steps);
    for (let step = 0; step < problem.steps; step += 1) this.#stepUsd[step] = this.#costOf(step);
  }

  /** Cost of all load. */
  get usd(): number {
    return this.#stepUsd.reduce((sum, usd) => sum + usd, 0);
  }

  /** Adds `count` units; a negative count takes them away. `carriedQps` is the rate of one of them in each step. */
  add(classIndex: number, schedule: UnitSchedule, carriedQps: readonly number[], count: number): void {
    for (let step = 0; step < schedule.length; step += 1) {
      const mode = schedule[step] as number;
      if (mode === off) continue;
      const qps = carriedQps[step] as number;
      const full = this.#modeOf(classIndex, mode).carriedQps;
      this.#addTo(step, this.#blockOf(classIndex, mode), count * qps, qps === full ? count : 0);
      this.#stepUsd[step] = this.#costOf(step);
    }
  }

  /** Shares out a step's load; `loads` receives the rate of each block. */
  dispatchAt(step: number, loads: Float64Array): Dispatch {
    const dispatch = { usd: 0, shortfallQps: 0, uncoveredQps: 0 };
    const [carried, settled] = [this.#carried[step] as Float64Array, this.#settled[step] as Float64Array];
    dispatchLoad(this.#problem, this.blocks, step, carried, settled, dispatch, loads);
    return dispatch;
  }

  /** Writes into `table` by how much the load's cost changes when `count` units of a class serve, by {@link servicePlaces}. */
  priceService(classIndex: number, count: number, table: Float64Array): void {
    const { steps, classes } = this.#problem;
    const { modes, switchLoss } = classes[classIndex] as PlanClass;
    const places = servicePlaces(modes.length, steps);
    table.fill(0);
    for (let step = 0; step < steps; step += 1) {
      for (let mode = 0; mode < modes.length; mode += 1) {
        const usd = this.#usdOfMore(step, classIndex, mode, count, 0);
        table[places.serve(step, mode)] = usd;
        if (switchLoss.length === 0) table[places.enter(step, mode)] = usd;
        for (let ago = 0; ago < Math.min(switchLoss.length, step + 1); ago += 1) {
          const place = places.enter(step - ago, mode);
          table[place] =
            (table[place] as number) + this.#usdOfMore(step, classIndex, mode, count, switchLoss[ago] as number);
        }
      }
    }
  }

  #usdOfMore(step: number, classIndex: number, mode: number, count: number, loss: number): number {
    const [carried, settled] = [this.#carried[step] as Float64Array, this.#settled[step] as Float64Array];
    const block = this.#blockOf(classIndex, mode);
    const [carriedBefore, settledBefore] = [carried[block] as number, settled[block] as number];
    const { carriedQps } = this.#modeOf(classIndex, mode);
    this.#addTo(step, block, count * carriedQps * (1 - loss), loss === 0 ? count : 0);
    const usd = this.#costOf(step) - (this.#stepUsd[step] as number);
    // Put back as it was: what is added and taken away again is not quite the same.
    carried[block] = carriedBefore;
    settled[block] = settledBefore;
    return usd;
  }

  #addTo(step: number, block: number, qps: number, settledUnits: number): void {
    const [carried, settled] = [this.#carried[step] as Float64Array, this.#settled[step] as Float64Array];
    carried[block] = (carried[block] as number) + qps;
    settled[block] = (settled[block] as number) + settledUnits;
  }

  #costOf(step: number): number {
    const [carried, settled] = [this.#carried[step] as Float64Array, this.#settled[step] as Float64Array];
    dispatchLoad(this.#problem, this.blocks, step, carried, settled, this.#dispatch);
    return this.#dispatch.usd;
  }

  #blockOf(classIndex: number, mode: number): number {
    return (this.blocks.firstOfClass[classIndex] as number) + mode;
  }

  #modeOf(classIndex: number, mode: number): PlanMode {
    return (this.#problem.classes[classIndex] as PlanClass).modes[mode] as PlanMode;
  }
}
