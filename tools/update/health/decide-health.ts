/** Finding of one look at a service after its restart. */
export interface HealthLook {
  /** Time since the restart. */
  readonly afterMs: number;
  /** Version that answered; null: nothing did. */
  readonly version: string | null;
  readonly ready: boolean;
  /** True: a request was answered with vectors; null: none could be sent, as no key is known here. */
  readonly served: boolean | null;
  /** True: connected to the fleet's broker; null: unknown. */
  readonly broker: boolean | null;
}

export interface ServiceBefore {
  readonly ready: boolean;
  readonly broker: boolean;
}

export interface HealthInputs {
  /** Looks since the restart, in order. */
  readonly looks: readonly HealthLook[];
  readonly version: string;
  /** State before the update; of what was not well then, nothing is asked of the new version. */
  readonly before: ServiceBefore;
  readonly startWithinMs: number;
  readonly windowMs: number;
}

export type HealthDecision =
  | { readonly kind: "wait" }
  | { readonly kind: "healthy" }
  | { readonly kind: "return"; readonly rule: FailureRule };

export type FailureRule = "no-answer" | "old-version" | "not-ready" | "not-serving" | "no-broker";

/** Looks in a row that must fail before a service that was well counts as unwell: one may meet a moment of load. */
const lapses = 2;

/** Reason that a look shows no healthy service; null: it does. */
function flawOf(look: HealthLook, { version, before }: HealthInputs): FailureRule | null {
  if (look.version === null) return "no-answer";
  if (look.version !== version) return "old-version";
  // One that was on standby, say, is on standby again.
  if (before.ready && !look.ready) return "not-ready";
  if (look.served === false) return "not-serving";
  return before.broker && look.broker === false ? "no-broker" : null;
}

/** Decides whether a new version stays: it must be well in time, and stay so for the window. */
export function decideHealth(inputs: HealthInputs): HealthDecision {
  let wellSinceMs: number | null = null;
  let failing = 0;
  let flaw: FailureRule = "no-answer";
  for (const look of inputs.looks) {
    const found = flawOf(look, inputs);
    if (found === null) {
      wellSinceMs ??= look.afterMs;
      failing = 0;
      if (look.afterMs - wellSinceMs >= inputs.windowMs) return { kind: "healthy" };
    } else {
      flaw = found;
      failing += 1;
      if (wellSinceMs !== null && failing >= lapses) return { kind: "return", rule: flaw };
    }
  }
  const lastMs = inputs.looks.at(-1)?.afterMs ?? 0;
  if (wellSinceMs === null && lastMs >= inputs.startWithinMs) return { kind: "return", rule: flaw };
  return { kind: "wait" };
}
