import { Type } from "@sinclair/typebox";
import type { Explained } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { previewPolicy } from "#controller/scaling/policy/preview-policy.ts";
import type { ScalingDecision } from "#controller/scaling/policy/scaling-decision.ts";
import type { ScalingPolicy } from "#controller/scaling/policy/scaling-policy.ts";
import { maskSecrets } from "#platform/fetch/redact-url.ts";
import { orNull } from "#platform/schema-parts.ts";
import { hourMs } from "#platform/time.ts";

const previewHours = 24;
const maxSteps = 500;
const maxDifferences = 200;

/** Limits and number that a policy gives from a time on. */
interface ComingStep {
  readonly fromMs: number;
  readonly floor: number;
  readonly ceiling: number;
  /** At the present rate; null: the rate is unknown. */
  readonly agents: number | null;
  readonly schedules: readonly string[];
}

/** Decision of a policy now, and its limits in the coming day. */
export interface PolicyOutlook {
  readonly name: string;
  readonly mode: string;
  readonly agents: number;
  readonly floor: number;
  readonly ceiling: number;
  readonly reason: string;
  readonly limitedBy: readonly { readonly by: string; readonly from: number; readonly to: number }[];
  readonly coming: readonly ComingStep[];
}

/** Field of a policy that differs from the one in force. */
export interface PolicyDifference {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

export interface PolicyPreview {
  readonly atMs: number;
  readonly liveQps: number | null;
  /** Agents that are meant to serve now. */
  readonly serving: number;
  readonly text: string;
  readonly given: PolicyOutlook;
  /** The policy in force, asked in the same way; null: none is. */
  readonly inForce: PolicyOutlook | null;
  readonly differences: readonly PolicyDifference[];
}

const Step = Type.Object({
  fromMs: Type.Number(),
  floor: Type.Integer(),
  ceiling: Type.Integer(),
  agents: orNull(Type.Integer(), "at the present rate; null: unknown"),
  schedules: Type.Array(Type.String(), { maxItems: 1000 }),
});
const Outlook = Type.Object({
  name: Type.String(),
  mode: Type.String({ description: "act or preview" }),
  agents: Type.Integer({ description: "number of agents it wants now" }),
  floor: Type.Integer(),
  ceiling: Type.Integer(),
  reason: Type.String(),
  limitedBy: Type.Array(Type.Object({ by: Type.String(), from: Type.Integer(), to: Type.Integer() }), { maxItems: 20 }),
  coming: Type.Array(Step, { maxItems: maxSteps, description: "the coming 24 hours by schedules, load and limits" }),
});

export const PolicyPreviewView = Type.Unsafe<PolicyPreview>(
  Type.Object({
    atMs: Type.Number(),
    liveQps: orNull(Type.Number(), "present rate, texts per second; null: unknown"),
    serving: Type.Integer({ description: "agents that are meant to serve now" }),
    text: Type.String({
      description: "what would be decided now, and how it differs from the policy in force, for people to read",
    }),
    given: Outlook,
    inForce: orNull(Outlook, "the policy in force; null: none is"),
    differences: Type.Array(Type.Object({ path: Type.String(), before: Type.String(), after: Type.String() }), {
      maxItems: maxDifferences,
      description: "fields that differ from the policy in force",
    }),
  }),
);

export function outlookOf(
  policy: ScalingPolicy,
  { replicas, floor, ceiling, reason, limitedBy }: Explained<ScalingDecision>,
  atMs: number,
  liveQps: number | null,
): PolicyOutlook {
  const stretches = previewPolicy(policy, { fromMs: atMs, untilMs: atMs + previewHours * hourMs, qps: liveQps });
  return {
    ...{ name: policy.name, mode: policy.mode, agents: replicas, floor, ceiling, reason, limitedBy },
    coming: stretches.slice(0, maxSteps).map(({ fromMs, floor, ceiling, replicas, schedules }) => ({
      fromMs,
      floor,
      ceiling,
      agents: replicas,
      schedules,
    })),
  };
}

const shown = (value: unknown) => (value === undefined ? "–" : JSON.stringify(value).slice(0, 200));

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** Lists the fields in which two policies differ, with secrets masked; a list of named parts is compared by their names. */
export function differencesOf(before: ScalingPolicy | null, after: ScalingPolicy): PolicyDifference[] {
  const found: PolicyDifference[] = [];
  const named = (value: object) =>
    Array.isArray(value)
      ? Object.fromEntries(value.map((each, index) => [String(Object(each).name ?? index), each]))
      : (value as Record<string, unknown>);
  const compare = (old: unknown, next: unknown, path: string): void => {
    if (found.length >= maxDifferences || JSON.stringify(old) === JSON.stringify(next)) return;
    if (!isObject(old) || !isObject(next) || Array.isArray(old) !== Array.isArray(next)) {
      found.push({ path, before: shown(old), after: shown(next) });
      return;
    }
    const [left, right] = [named(old), named(next)];
    for (const key of new Set([...Object.keys(left), ...Object.keys(right)]))
      compare(left[key], right[key], path === "" ? key : `${path}.${key}`);
  };
  if (before !== null) compare(maskSecrets(before), maskSecrets(after), "");
  return found;
}

const counted = (agents: number) => `${agents} ${agents === 1 ? "agent" : "agents"}`;

/** Says what a policy would decide now, beside what is. */
export function previewToText({
  given,
  inForce,
  serving,
}: Pick<PolicyPreview, "given" | "inForce" | "serving">): string {
  const change = given.agents - serving;
  const now =
    change === 0
      ? `It wants ${counted(given.agents)} now, as many as are desired now`
      : `It wants ${counted(given.agents)} now, ${Math.abs(change)} ${change > 0 ? "more" : "fewer"} than are desired now (${serving})`;
  const beside =
    inForce === null
      ? ""
      : inForce.agents === given.agents
        ? "; the policy in force wants the same"
        : `; the policy in force (${inForce.name}) wants ${inForce.agents}`;
  const bounds = `between ${given.floor} and ${given.ceiling}`;
  const acts = given.mode === "preview" ? " It is in preview: its decisions would be recorded, not acted on." : "";
  return `${now}, ${bounds}${beside}.${acts}`;
}
