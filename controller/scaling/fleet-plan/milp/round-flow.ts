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

/**
 * Splits a flow through a class's graph into paths of whole units: each follows the arcs with most flow left. Exact where the flow is whole; where it is
 * not, the last units of a source follow the nearest there is.
 */
export function roundFlow(unitClass: PlanClass, graph: ClassGraph, steps: number, flow: ArrayLike<number>): UnitPath[] {
  const { from, to, service, end, starts } = graph;
  const left = Float64Array.from(flow);
  const outOf = Array.from({ length: graph.nodes }, (): number[] => []);
  for (const [arc, node] of from.entries()) outOf[node]?.push(arc);
  const paths: UnitPath[] = [];
  for (const [source, { count }] of unitClass.sources.entries()) {
    for (let open = count; open > 0; ) {
      const arcs: number[] = [];
      let most = open;
      for (let node = starts[source]?.node as number; node !== end; ) {
        const arc = (outOf[node] as number[]).reduce((a, b) => ((left[b] as number) > (left[a] as number) ? b : a));
        arcs.push(arc);
        most = Math.min(most, left[arc] as number);
        node = to[arc] as number;
      }
      const units = Math.max(1, Math.floor(most + rounding));
      const schedule = emptySchedule(steps);
      for (const arc of arcs) {
        left[arc] = (left[arc] as number) - units;
        followArc(unitClass, steps, service[arc] as number, schedule);
      }
      paths.push({ source, schedule, count: units });
      open -= units;
    }
  }
  return paths;
}
