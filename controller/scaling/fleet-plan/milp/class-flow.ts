import { type ClassGraph, enterSteps, servicePlaces } from "#controller/scaling/fleet-plan/class-graph.ts";
import { countUnits, type PlanClass, type PlanMode } from "#controller/scaling/fleet-plan/plan-problem.ts";
import type { MilpBuilder, Term } from "./milp-builder.ts";

/** Variables for the units of one class in one step and mode. */
export interface StepFlow {
  /** Terms of the rate that they can carry. */
  readonly carried: readonly Term[];
  /** Terms of the units that are not in the middle of a switch, and the number there can be. */
  readonly settled: readonly Term[];
  readonly maxSettled: number;
}

/** Flow of a class's units through its graph. */
export interface ClassFlow {
  readonly firstArc: number;
  /** By step and mode. */
  readonly steps: readonly (readonly StepFlow[])[];
  /** Number of units that can be settled in a step, in any mode. */
  readonly maxSettled: readonly number[];
}

/** Counts the units that can serve without a switch, by step and mode and by step. */
function countSettled({ modes, sources, switchLoss }: PlanClass, graph: ClassGraph, steps: number) {
  const { from, to, service, nodes, starts } = graph;
  const places = servicePlaces(modes.length, steps);
  const byPlace = new Float64Array(steps * modes.length);
  const byStep = new Array<number>(steps).fill(0);
  for (const [source, { node }] of starts.entries()) {
    const units = sources[source]?.count ?? 0;
    const reached = new Uint8Array(nodes);
    const settled = new Uint8Array(places.size);
    reached[node] = 1;
    for (let arc = 0; arc < from.length; arc += 1) {
      if (reached[from[arc] as number] === 0) continue;
      reached[to[arc] as number] = 1;
      settled[service[arc] as number] = 1;
    }
    for (let step = 0; step < steps; step += 1) {
      let any = 0;
      for (let mode = 0; mode < modes.length; mode += 1) {
        const serves = places.serve(step, mode);
        if (settled[serves] === 0 && (switchLoss.length > 0 || settled[places.enter(step, mode)] === 0)) continue;
        byPlace[serves] = (byPlace[serves] as number) + units;
        any = units;
      }
      byStep[step] = (byStep[step] as number) + any;
    }
  }
  return { byPlace, byStep };
}

/** Adds a variable for each arc and a row for each node of a class's graph. */
export function addClassFlow(
  builder: MilpBuilder,
  unitClass: PlanClass,
  graph: ClassGraph,
  steps: number,
  firstArc: number,
  scale: number,
): ClassFlow {
  const { modes, sources, switchLoss } = unitClass;
  const { from, to, usd, service, nodes, end, starts } = graph;
  const places = servicePlaces(modes.length, steps);
  const maxUnits = countUnits(unitClass);
  const rows = Array.from({ length: nodes }, (): Term[] => []);
  const carried = Array.from({ length: steps * modes.length }, (): Term[] => []);
  const settled = Array.from({ length: steps * modes.length }, (): Term[] => []);
  const serves = (variable: number, step: number, mode: number, loss: number) => {
    if (step >= steps || loss === 1) return;
    carried[places.serve(step, mode)]?.push([variable, (modes[mode] as PlanMode).carriedQps * (1 - loss)]);
    if (loss === 0) settled[places.serve(step, mode)]?.push([variable, 1]);
  };
  for (const [arc, tail] of from.entries()) {
    const variable = builder.variable("whole", (usd[arc] as number) * scale, maxUnits);
    rows[tail]?.push([variable, 1]);
    rows[to[arc] as number]?.push([variable, -1]);
    const place = service[arc] as number;
    if (place === places.none) continue;
    const mode = place % modes.length;
    const step = Math.floor(place / modes.length);
    if (step < steps) serves(variable, step, mode, 0);
    else
      for (let ago = 0; ago < enterSteps(unitClass); ago += 1)
        serves(variable, step - steps + ago, mode, switchLoss[ago] ?? 0);
  }
  const begin = new Float64Array(nodes);
  for (const [source, { node }] of starts.entries()) {
    begin[node] = (begin[node] as number) + (sources[source]?.count ?? 0);
  }
  for (let node = 0; node < end; node += 1) {
    builder.row(rows[node] as Term[], begin[node] as number, begin[node] as number);
  }
  const { byPlace, byStep } = countSettled(unitClass, graph, steps);
  return {
    firstArc,
    steps: Array.from({ length: steps }, (_, step) =>
      modes.map((_mode, mode): StepFlow => {
        const place = places.serve(step, mode);
        return {
          carried: carried[place] as Term[],
          settled: settled[place] as Term[],
          maxSettled: byPlace[place] as number,
        };
      }),
    ),
    maxSettled: byStep,
  };
}

/** Terms of the rate of all units that are in no switch. */
export function secureTerms(classes: readonly PlanClass[], flows: readonly ClassFlow[], step: number): Term[] {
  return classes.flatMap(({ modes }, index) =>
    modes.flatMap(({ carriedQps }, mode) =>
      (flows[index]?.steps[step]?.[mode]?.settled ?? []).map(
        ([variable, factor]): Term => [variable, factor * carriedQps],
      ),
    ),
  );
}
