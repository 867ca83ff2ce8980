import { type ClassGraph, emptySchedule, followArc } from "#controller/scaling/fleet-plan/class-graph.ts";
import type { PlanClass } from "#controller/scaling/fleet-plan/plan-problem.ts";
import type { UnitSchedule } from "#controller/scaling/fleet-plan/unit-schedule.ts";

/** Units of one source with one schedule. */
export interface UnitPath {
  readonly source: number;
  readonly schedule: UnitSchedule;
  readonly count: number;
}

const rounding = 1e-6;

/** Finds from each node the path to the end whose narrowest arc is widest. */
class WidestPaths {
  readonly width: Float64Array;
  readonly #graph: ClassGraph;
  readonly #next: Int32Array;

  constructor(graph: ClassGraph, left: Float64Array) {
    const { from, to, nodes, end } = graph;
    this.#graph = graph;
    this.width = new Float64Array(nodes).fill(Number.NEGATIVE_INFINITY);
    this.#next = new Int32Array(nodes);
    this.width[end] = Number.POSITIVE_INFINITY;
    for (let arc = from.length - 1; arc >= 0; arc -= 1) {
      const width = Math.min(left[arc] as number, this.width[to[arc] as number] as number);
      const node = from[arc] as number;
      if (width < (this.width[node] as number)) continue;
      this.width[node] = width;
      this.#next[node] = arc;
    }
  }

  arcsFrom(start: number): number[] {
    const arcs: number[] = [];
    for (let node = start; node !== this.#graph.end; node = this.#graph.to[arcs.at(-1) as number] as number) {
      arcs.push(this.#next[node] as number);
    }
    return arcs;
  }
}

/**
 * Splits a flow through a class's graph into paths of whole units, widest first: all of a flow of whole units.
 * @param nearest true: units that there is no whole path for follow the widest one nevertheless; false: they are left out.
 */
export function roundFlow(
  unitClass: PlanClass,
  graph: ClassGraph,
  steps: number,
  flow: ArrayLike<number>,
  nearest: boolean,
): UnitPath[] {
  const left = Float64Array.from(flow);
  const paths: UnitPath[] = [];
  for (const [source, { count }] of unitClass.sources.entries()) {
    const node = graph.starts[source]?.node as number;
    for (let open = count; open > 0; ) {
      const widest = new WidestPaths(graph, left);
      const whole = Math.floor((widest.width[node] as number) + rounding);
      if (whole < 1 && !nearest) break;
      const units = Math.min(open, Math.max(1, whole));
      const schedule = emptySchedule(steps);
      for (const arc of widest.arcsFrom(node)) {
        left[arc] = (left[arc] as number) - units;
        followArc(unitClass, steps, graph.service[arc] as number, schedule);
      }
      paths.push({ source, schedule, count: units });
      open -= units;
    }
  }
  return paths;
}
