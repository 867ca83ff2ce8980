import type { Static } from "@sinclair/typebox";
import type { DecisionDetail, DecisionTimeline } from "#controller/api/schemas.ts";
import type { TrafficView } from "#controller/api/traffic-routes.ts";
import type { Aftermath } from "#controller/scaling/why/decide-aftermath.ts";
import type { ChartMarker } from "#platform/page/chart-parts.tsx";
import type { StatusKind } from "#platform/page/status-word.tsx";

export type Traffic = Static<typeof TrafficView>;
export type Decision = DecisionDetail;
export type ShortDecision = DecisionTimeline["decisions"][number];

export const chartHours = [6, 24, 168] as const;

/** Hours of traffic that an address asks for. */
export const hoursOf = (text: string | null): (typeof chartHours)[number] =>
  chartHours.find((hours) => String(hours) === text) ?? 24;

/** Minutes of a step, so that no chart has more than some 500 of them. */
export const stepMinutesOf = (hours: number): number => Math.max(1, Math.min(60, Math.ceil((hours * 60) / 500)));

/** Filters of the list that an address holds; empty: none. */
export interface DecisionFilters {
  readonly kind: string;
  readonly rule: string;
  readonly agent: string;
  /** True: decisions that changed nothing, too. */
  readonly withHolds: boolean;
  /** Id of the decision before which the page begins; empty: the newest. */
  readonly before: string;
}

/** Reads filters of an address. What no filter can be is left out, so that a link that was cut still shows a list. */
export function filtersOf(query: URLSearchParams): DecisionFilters {
  const before = query.get("before") ?? "";
  return {
    ...{ kind: query.get("kind") ?? "", rule: query.get("rule") ?? "", agent: query.get("agent") ?? "" },
    withHolds: query.get("holds") === "true",
    before: /^[1-9][0-9]{0,14}$/.test(before) ? before : "",
  };
}

/** Address of a page of the list. */
export function timelinePath(
  { kind, rule, agent, withHolds, before }: DecisionFilters,
  limit: number,
  sinceMs?: number,
): string {
  const query = new URLSearchParams({ limit: String(limit) });
  for (const [name, value] of Object.entries({ kind, rule, agent, before })) if (value !== "") query.set(name, value);
  if (!withHolds) query.set("changes", "true");
  if (sinceMs !== undefined) query.set("sinceMs", String(Math.floor(sinceMs)));
  return `/api/v1/decisions/timeline?${query}`;
}

/** Moments of decisions on the chart of traffic, oldest first. */
export const markersOf = (decisions: readonly ShortDecision[], fromMs: number): ChartMarker[] =>
  decisions
    .filter(({ atMs, kind }) => atMs >= fromMs && kind !== "hold")
    .toReversed()
    .map(({ id, atMs, kind, rule }) => ({ atMs, label: `${kind} (${rule}) #${id}`, href: `/decisions/${id}` }));

const kinds: Readonly<Record<string, StatusKind>> = {
  hold: "idle",
  preview: "idle",
  note: "idle",
  freeze: "warn",
  override: "warn",
  spending: "warn",
};
/** Shape and colour of a kind of decision. */
export const kindStatus = (kind: string): StatusKind => kinds[kind] ?? "good";

/** Result of a change by the agents' own reports, for a row of the list. */
export function resultOf({ agents, did, failed, kind }: ShortDecision): { kind: StatusKind; word: string } | null {
  if (kind === "hold" || agents === 0) return null;
  const of = agents === 1 ? "" : ` of ${agents}`;
  if (failed > 0) return { kind: "bad", word: `${failed}${of} not in time` };
  if (did >= agents) return { kind: "good", word: agents === 1 ? "done" : `all ${agents} done` };
  return did === 0 ? { kind: "idle", word: "not reported" } : { kind: "busy", word: `${did}${of} done` };
}

/** Word and shape of what came beside what was believed. */
export const aftermathStatus: Readonly<
  Record<Aftermath["rule"], { readonly kind: StatusKind; readonly word: string }>
> = {
  unknown: { kind: "idle", word: "not known" },
  "going-on": { kind: "busy", word: "not over yet" },
  "as-believed": { kind: "good", word: "as believed" },
  more: { kind: "bad", word: "more came than was believed" },
  less: { kind: "warn", word: "less came than was believed" },
};

/** Agent that a decision could choose. */
export interface Candidate {
  readonly agentId: string;
  readonly served: boolean;
  readonly capacityQps: number | null;
  readonly usdPerRequest: number | null;
  /** Reason why it could not serve; null: it could. */
  readonly unavailable: string | null;
}

const numberOf = (value: unknown) => (typeof value === "number" && Number.isFinite(value) ? value : null);

/** Agents that a decision could choose from, as far as they are on record. */
export function candidatesOf({ inputs }: Pick<Decision, "inputs">): Candidate[] {
  const all = inputs["candidates"];
  if (!Array.isArray(all)) return [];
  return (all as unknown[]).flatMap((each) => {
    const { agentId, active, capacityQps, energyUsdPerRequest, unavailable } = Object(each) as Record<string, unknown>;
    if (typeof agentId !== "string") return [];
    return [
      {
        ...{ agentId, served: active === true, capacityQps: numberOf(capacityQps) },
        usdPerRequest: numberOf(energyUsdPerRequest),
        unavailable: typeof unavailable === "string" ? unavailable : null,
      },
    ];
  });
}
