import type { PlanClass, PlanMode, UnitStart } from "./plan-problem.ts";
import { off } from "./unit-schedule.ts";

/**
 * Ways that units of a class can go through the horizon: nodes are what a unit may be in when a step begins (off and free to be ordered, arriving,
 * on in a mode with steps left that it has to stay, about to leave its mode), arcs what it does next. Every path from a start to the end keeps start-up,
 * minimum and switching times, and every schedule that keeps them is a path.
 */
export interface ClassGraph {
  readonly nodes: number;
  /** Node at which a path ends; the last. */
  readonly end: number;
  /** By arc, sorted by `from`; `from < to`. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** Cost without that of its load. */
  readonly usd: Float64Array;
  /** Place of the service on an arc in a table of prices: see {@link servicePlaces}. */
  readonly service: Int32Array;
  /** Node from which the units of each source begin, and what they cost until then. */
  readonly starts: readonly { readonly node: number; readonly usd: number }[];
}

/** Places in a table of what units do in a step: serve in a mode, begin to enter a mode, or neither. */
export function servicePlaces(modes: number, steps: number) {
  return {
    serve: (step: number, mode: number) => step * modes + mode,
    enter: (step: number, mode: number) => (steps + step) * modes + mode,
    none: 2 * steps * modes,
    size: 2 * steps * modes + 1,
  };
}

/** Steps that entering a mode takes in the graph: a step at least, in which the unit does nothing else. */
export const enterSteps = ({ switchLoss }: PlanClass) => Math.max(1, switchLoss.length);

/**
 * Steps that units have to stay on. Where one step is all that is asked for, none is: a unit that arrives and stops at once is as good as one that never
 * came.
 */
function staySteps({ minOnSteps, sources }: PlanClass, steps: number): number {
  const asked = sources.map(({ start }) => {
    if (start.kind === "on") return start.stays;
    return start.kind === "starting" ? 1 : 0;
  });
  return Math.min(steps, Math.max(minOnSteps > 1 ? minOnSteps : 0, ...asked));
}

/**
 * Builds the graph of a class, as far as its units can get.
 * @param maxStay steps that units have to stay on; less than the class asks for makes a smaller graph with more paths.
 */
export function classGraphOf(
  unitClass: PlanClass,
  steps: number,
  maxStay: number = staySteps(unitClass, steps),
): ClassGraph {
  const { modes, startupSteps, offUsd, startUsd, startingUsd } = unitClass;
  const count = modes.length;
  // A unit that stops is off for at least one step; a start that takes steps implies that.
  const minOffSteps = startupSteps === 0 ? Math.max(1, unitClass.minOffSteps) : unitClass.minOffSteps;
  const enter = enterSteps(unitClass);
  const places = servicePlaces(count, steps);
  // In an order in which arcs lead forwards within a step, too.
  const perStep = 2 + (maxStay + 1) * (count + 1);
  const offAt = startupSteps === 0 ? 0 : perStep - 1;
  const arriveAt = startupSteps === 0 ? 1 : 0;
  const onAt = arriveAt + 1;
  const leaveAt = onAt + (maxStay + 1) * count;
  const end = steps * perStep;
  const nodeOf = (step: number, place: number) => (step >= steps ? end : step * perStep + place);
  const onNode = (step: number, mode: number, stays: number) =>
    nodeOf(step, onAt + Math.min(maxStay, Math.max(0, stays)) * count + mode);
  const leaveNode = (step: number, stays: number) => nodeOf(step, leaveAt + Math.min(maxStay, stays));
  const startOf = (start: UnitStart) => {
    if (start.kind === "off") {
      return { node: nodeOf(start.stays, offAt), usd: Math.min(steps, start.stays) * offUsd };
    }
    if (start.kind === "starting") {
      return { node: nodeOf(start.arrivesAt, arriveAt), usd: Math.min(steps, start.arrivesAt) * startingUsd };
    }
    return { node: start.mode === null ? leaveNode(0, start.stays) : onNode(0, start.mode, start.stays), usd: 0 };
  };
  const starts = unitClass.sources.map(({ start }) => startOf(start));
  const mustEnter = unitClass.sources.some(({ start }) => start.kind === "on" && start.mode === null);

  const reached = new Uint8Array(end + 1);
  for (const { node } of starts) reached[node] = 1;
  const [from, to, usd, service]: [number[], number[], number[], number[]] = [[], [], [], []];
  const arc = (tail: number, head: number, price: number, place = places.none) => {
    from.push(tail);
    to.push(head);
    usd.push(price);
    service.push(place);
    reached[head] = 1;
  };
  const addOff = (node: number, step: number) => {
    arc(node, nodeOf(step + 1, offAt), offUsd);
    const arrives = step + startupSteps;
    if (arrives < steps) arc(node, nodeOf(arrives, arriveAt), startUsd + startupSteps * startingUsd);
  };
  const addOn = (node: number, step: number, mode: number, stays: number) => {
    const { idleUsd } = modes[mode] as PlanMode;
    arc(node, onNode(step + 1, mode, stays - 1), idleUsd, places.serve(step, mode));
    if (stays === 0 || count > 1) arc(node, leaveNode(step, stays), 0);
  };
  const addLeave = (node: number, step: number, stays: number) => {
    if (stays === 0) {
      arc(node, nodeOf(step + minOffSteps, offAt), Math.min(minOffSteps, steps - step) * offUsd);
    }
    if (count === 1 && !(mustEnter && step === 0)) return;
    for (const [mode, { switchUsd, idleUsd }] of modes.entries()) {
      const price = switchUsd + Math.min(enter, steps - step) * idleUsd;
      arc(node, onNode(step + enter, mode, stays - enter), price, places.enter(step, mode));
    }
  };
  for (let node = 0; node < end; node += 1) {
    if (reached[node] === 0) continue;
    const step = Math.floor(node / perStep);
    const place = node % perStep;
    if (place === offAt) addOff(node, step);
    else if (place === arriveAt) for (let mode = 0; mode < count; mode += 1) arc(node, onNode(step, mode, maxStay), 0);
    else if (place >= leaveAt) addLeave(node, step, place - leaveAt);
    else addOn(node, step, (place - onAt) % count, Math.floor((place - onAt) / count));
  }

  const renumbered = new Int32Array(end + 1);
  let nodes = 0;
  for (let node = 0; node <= end; node += 1) {
    renumbered[node] = nodes;
    if (reached[node] === 1 || node === end) nodes += 1;
  }
  const number = (node: number) => renumbered[node] as number;
  return {
    nodes,
    end: nodes - 1,
    from: Int32Array.from(from, number),
    to: Int32Array.from(to, number),
    usd: Float64Array.from(usd),
    service: Int32Array.from(service),
    starts: starts.map(({ node, usd: price }) => ({ node: number(node), usd: price })),
  };
}

/** Writes what a unit does on an arc into its schedule. */
export function followArc(unitClass: PlanClass, steps: number, service: number, schedule: number[]): void {
  const count = unitClass.modes.length;
  if (service === 2 * steps * count) return;
  const enters = service >= steps * count;
  const step = Math.floor(service / count) - (enters ? steps : 0);
  const last = Math.min(steps, step + (enters ? enterSteps(unitClass) : 1));
  schedule.fill(service % count, step, last);
}

export const emptySchedule = (steps: number) => new Array<number>(steps).fill(off);
