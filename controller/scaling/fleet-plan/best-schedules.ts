import { type ClassGraph, emptySchedule, followArc } from "./class-graph.ts";
import type { PlanClass } from "./plan-problem.ts";

/** Cheapest ways through a class's graph at given prices, from all starts at once. */
export class BestSchedules {
  readonly graph: ClassGraph;
  readonly #unitClass: PlanClass;
  readonly #steps: number;
  /** By node: cost from there to the end, and the arc that is taken. */
  readonly #usd: Float64Array;
  readonly #next: Int32Array;

  constructor(unitClass: PlanClass, graph: ClassGraph, steps: number) {
    this.graph = graph;
    this.#unitClass = unitClass;
    this.#steps = steps;
    this.#usd = new Float64Array(graph.nodes);
    this.#next = new Int32Array(graph.nodes);
  }

  /** Finds them for `count` units that go together; `servicePrices` are for all of them. */
  find(servicePrices: Float64Array, count: number): void {
    const { from, to, usd, service, end } = this.graph;
    const [costs, next] = [this.#usd, this.#next];
    costs.fill(Number.POSITIVE_INFINITY);
    costs[end] = 0;
    for (let arc = from.length - 1; arc >= 0; arc -= 1) {
      const cost =
        count * (usd[arc] as number) +
        (servicePrices[service[arc] as number] as number) +
        (costs[to[arc] as number] as number);
      const node = from[arc] as number;
      // Of arcs that cost the same the first: staying comes before changing.
      if (cost > (costs[node] as number)) continue;
      costs[node] = cost;
      next[node] = arc;
    }
  }

  /** Cost of the way that was found for units of a source. */
  usdOf(source: number): number {
    return this.#usd[this.graph.starts[source]?.node as number] as number;
  }

  /** Arcs of that way. */
  arcsOf(source: number): number[] {
    const { to, end, starts } = this.graph;
    const arcs: number[] = [];
    for (let node = starts[source]?.node as number; node !== end; ) {
      const arc = this.#next[node] as number;
      arcs.push(arc);
      node = to[arc] as number;
    }
    return arcs;
  }

  scheduleOf(source: number): number[] {
    const schedule = emptySchedule(this.#steps);
    for (const arc of this.arcsOf(source)) {
      followArc(this.#unitClass, this.#steps, this.graph.service[arc] as number, schedule);
    }
    return schedule;
  }
}
