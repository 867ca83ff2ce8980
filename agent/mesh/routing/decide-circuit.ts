/** Record of one backend with one model, from which its circuit follows. Times are readings of one monotonic clock, ms. */
export interface Circuit {
  /** Failures without a success in between. A client's deadline that passed counts half, as being outrun does; silence twice. */
  readonly failures: number;
  /** Until then nothing is sent; null: closed. */
  readonly openUntilMs: number | null;
  /** Openings without a success in between: each one lasts longer. */
  readonly openings: number;
  /** Time at which it closed last, or began; from then on its load grows slowly. */
  readonly warmingSinceMs: number | null;
}

/**
 * Outcome of one attempt. "own-deadline": the client's time for it ended; "silent": no answer in many times the usual time; "outrun": a second
 * backend that was asked later answered first; "refused": it said that it is full or stopping, which is no failure.
 */
export type Outcome = "answered" | "failed" | "own-deadline" | "silent" | "outrun" | "refused";

/** Failures that an outcome counts as. */
const weights = { failed: 1, "own-deadline": 0.5, silent: 2, outrun: 0.5 } as const;

export const circuitRules = {
  /** Failures in a row that open a circuit, as for consecutive gateway errors elsewhere. */
  failures: 5,
  firstOpenMs: 5_000,
  maxOpenMs: 300_000,
  /** Part by which an opening is longer or shorter, so that routers do not probe together. */
  jitter: 0.2,
  /** Time in which a backend that came back gets its full share of load. */
  warmMs: 30_000,
  /** Share with which it begins. */
  warmFrom: 0.1,
} as const;

export const closedCircuit: Circuit = { failures: 0, openUntilMs: null, openings: 0, warmingSinceMs: null };

/** Returns the circuit of a backend that just appeared, woke, or loaded a model: closed, and warming. */
export const warmingCircuit = (nowMs: number): Circuit => ({ ...closedCircuit, warmingSinceMs: nowMs });

/** Returns "closed", "open", or "probing" once one attempt may find out whether the backend is well again. */
export function circuitState({ openUntilMs }: Circuit, nowMs: number): "closed" | "open" | "probing" {
  if (openUntilMs === null) return "closed";
  return nowMs < openUntilMs ? "open" : "probing";
}

/** Returns the share of its capacity that a backend is given: less in the first 30 s. */
export function warmthOf({ warmingSinceMs }: Circuit, nowMs: number): number {
  if (warmingSinceMs === null) return 1;
  return Math.min(1, Math.max(circuitRules.warmFrom, (nowMs - warmingSinceMs) / circuitRules.warmMs));
}

/**
 * Decides the circuit after an attempt: five failures in a row open it for 5 s, each further opening twice as long up to five minutes, give or
 * take a fifth. One attempt then probes it: an answer closes it, a failure opens it again.
 * @param draw random number from 0 to 1
 */
export function decideCircuit(circuit: Circuit, outcome: Outcome, nowMs: number, draw: number): Circuit {
  if (outcome === "refused") return circuit;
  if (outcome === "answered") {
    if (circuit.failures === 0 && circuit.openUntilMs === null) return circuit;
    return circuit.openUntilMs === null ? { ...circuit, failures: 0 } : warmingCircuit(nowMs);
  }
  const failures = circuit.failures + weights[outcome];
  const probed = circuitState(circuit, nowMs) === "probing";
  if (circuit.openUntilMs !== null && !probed) return { ...circuit, failures };
  if (failures < circuitRules.failures && !probed) return { ...circuit, failures };
  // One that is only slower than others is tried again soon: it may have been busy, or just have started.
  const openings = outcome === "outrun" ? 0 : circuit.openings;
  const lastsMs = Math.min(circuitRules.maxOpenMs, circuitRules.firstOpenMs * 2 ** openings);
  return {
    ...circuit,
    failures,
    openings: outcome === "outrun" ? circuit.openings : circuit.openings + 1,
    openUntilMs: nowMs + lastsMs * (1 + circuitRules.jitter * (2 * draw - 1)),
  };
}

/**
 * Returns how many of a group of backends may be kept out at once: at least one, about a third, and never so many that less than half is
 * left. A tenth, as elsewhere, would be none of five.
 */
export function mayBeOut(backends: number): number {
  return Math.max(0, Math.min(Math.max(1, Math.floor(0.3 * backends)), backends - Math.ceil(backends / 2)));
}
