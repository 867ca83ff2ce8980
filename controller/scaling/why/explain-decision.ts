import type { DecisionRecord } from "#controller/store/decision-record.ts";

/** Fact about a decision: what it is, and in words. Without a label it is a sentence of its own. */
export interface DecisionFact {
  readonly label: string | null;
  readonly text: string;
}

interface Proposal {
  readonly rule: string;
  readonly agents: number | null;
}
interface Limit {
  readonly by: string;
  readonly from: number;
  readonly to: number;
}

const listIn = <T>(inputs: DecisionRecord["inputs"], key: string): readonly T[] =>
  Array.isArray(inputs[key]) ? (inputs[key] as T[]) : [];

const maxNames = 12;
/** Lists names; of a large fleet only the first. */
const names = (all: readonly string[]) =>
  all.length > maxNames ? `${all.slice(0, maxNames).join(", ")} and ${all.length - maxNames} more` : all.join(", ");

/** Tells each reason once, with all agents that it holds for. */
function byReason(
  what: string,
  agents: readonly { readonly agentId: string; readonly reason: string }[],
  colon = "",
): DecisionFact[] {
  return [...Map.groupBy(agents, ({ reason }) => reason)].map(([reason, group]) => ({
    label: `${what}${colon} ${names(group.map(({ agentId }) => agentId))}`,
    text: reason,
  }));
}

/** Range of the peak since a hold was first decided. */
function rangeFacts({ repeats, inputs }: Pick<DecisionRecord, "repeats" | "inputs">): DecisionFact[] {
  const [least, most] = listIn<unknown>(Object(inputs["range"]), "peakQps");
  if (repeats <= 1 || typeof least !== "number" || typeof most !== "number") return [];
  const range = `${least.toFixed(1)} to ${most.toFixed(1)} texts/s`;
  return [{ label: null, text: `figures of the last repetition; since the first the peak was ${range}` }];
}

/** Explains what every rule asked for, what limited it, what agents were told and what they did: in `thormesh why` and on the page. */
export function explainDecision(
  decision: Pick<DecisionRecord, "kind" | "repeats" | "inputs" | "outcome">,
): DecisionFact[] {
  const { kind, inputs, outcome } = decision;
  const { activated, stoodBy, modes = [], skipped, done = [], late = [] } = outcome;
  const proposals = kind === "hold" ? [] : listIn<Proposal>(inputs, "proposals");
  const limits = kind === "hold" ? [] : listIn<Limit>(inputs, "limitedBy");
  const isDone = new Set(done.map(({ agentId }) => agentId));
  const facts: [label: string, texts: readonly string[]][] = [
    ["agents asked for", proposals.map(({ rule, agents }) => `${rule} ${agents ?? "unknown"}`)],
    ["limited by", limits.map(({ by, from, to }) => `${by} (${from} to ${to})`)],
  ];
  const told: typeof facts = [
    ["told to serve", activated],
    ["told to stand by", stoodBy],
    ["power modes", modes.map(({ agentId, mode }) => `${agentId} ${mode}`)],
  ];
  const reported: typeof facts = [
    ["reported as done", done.map(({ agentId, afterS }) => `${agentId} (after ${afterS} s)`)],
  ];
  const written = (of: typeof facts, join: (texts: readonly string[]) => string) =>
    of.flatMap(([label, texts]) => (texts.length === 0 ? [] : [{ label, text: join(texts) }]));
  return [
    ...rangeFacts(decision),
    ...written(facts, (texts) => texts.join(", ")),
    ...written(told, names),
    ...byReason("not done by", skipped),
    ...written(reported, names),
    ...byReason(
      "did not happen in time",
      late.filter(({ agentId }) => !isDone.has(agentId)),
      ":",
    ),
    ...byReason(
      "late",
      late.filter(({ agentId }) => isDone.has(agentId)),
      ":",
    ),
  ];
}

/** Figure that a decision rested on; null: unknown then. */
export interface DecisionFigure {
  readonly name: string;
  readonly value: number | null;
  readonly unit: string;
}

const shownFigures: readonly (readonly [key: string, name: string, unit: string])[] = [
  ["liveQps", "traffic then", "texts/s"],
  ["forecastPeakQps", "highest rate forecast", "texts/s"],
  ["windowPeakQps", "highest peak of the stabilisation window", "texts/s"],
  ["carriedQps", "capacity of the serving agents", "texts/s"],
  ["need", "agents needed", "agents"],
  ["activeCount", "agents that served", "agents"],
  ["availableCount", "agents that could serve", "agents"],
];

/** Lists the figures that a decision rested on; empty for one that rests on none. */
export function figuresOfDecision({ inputs }: Pick<DecisionRecord, "inputs">): DecisionFigure[] {
  return shownFigures.flatMap(([key, name, unit]) => {
    const value = inputs[key];
    if (value === undefined) return [];
    return [{ name, unit, value: typeof value === "number" && Number.isFinite(value) ? value : null }];
  });
}

/** Tells what the plan that a decision follows costs beside the least possible, and why it is so; empty without a plan. */
export function explainPlanOf({ inputs }: Pick<DecisionRecord, "inputs">): string[] {
  const plan = Object(inputs["plan"]) as { costUsd?: unknown; gap?: unknown; feasible?: unknown };
  if (typeof plan.costUsd !== "number") return [];
  const gap = typeof plan.gap === "number" ? `, at most ${(100 * plan.gap).toFixed(1)} % above the cheapest` : "";
  const lacks = plan.feasible === false ? "; it does not carry the whole forecast" : "";
  const reasons = listIn<unknown>(plan as Record<string, unknown>, "reasons").filter(
    (each) => typeof each === "string",
  );
  return [`the plan costs ${plan.costUsd.toPrecision(3)} US$${gap}${lacks}`, ...reasons];
}
