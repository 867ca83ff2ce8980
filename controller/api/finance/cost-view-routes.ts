import { type Static, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { answerJson, answerText } from "#platform/http/answer-text.ts";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";
import { literals, orNull, strictObject } from "#platform/schema-parts.ts";
import { dayMs, hourMs } from "#platform/time.ts";
import type { AllocationQuery } from "../../cost/metering/allocation-sets.ts";
import { type CostView, makeCostView } from "../../cost/metering/cost-view.ts";
import { findDearestAgents } from "../../cost/metering/dearest-agents.ts";
import { figure, text, writeCsv } from "../../cost/reports/write-csv.ts";
import { type TimeWindow, windowForms, windowPattern } from "../../cost/window/parse-window.ts";
import { maxSets, readFilter, refuse } from "../allocation-routes.ts";
import type { ApiParts } from "../api-parts.ts";
import { readWindow } from "../read-window.ts";
import { about, ErrorBody } from "../schemas.ts";
import { allocationReader } from "./read-allocation.ts";

const dimensions = ["tenant", "model", "region", "agent"] as const;
type Dimension = (typeof dimensions)[number];
/** Dimensions as they may be asked for: a device is an agent. */
const askedDimensions = [...dimensions, "device"] as const;
type AskedDimension = (typeof askedDimensions)[number];
const dimensionOf = (asked: AskedDimension): Dimension => (asked === "device" ? "agent" : asked);

const ViewQuery = strictObject({
  window: Type.String({ default: "7d", pattern: windowPattern, title: windowForms }),
  by: Type.Unsafe<AskedDimension>({ ...literals(...askedDimensions), default: "tenant" }),
  filter: Type.String({ default: "", maxLength: 500, title: 'conditions such as tenant:"shop"+region:"eu"' }),
  top: Type.String({
    ...{ default: "8", pattern: "^([1-9]|[1-9][0-9]|100)$", title: "a whole number from 1 to 100" },
    description: "number of groups shown separately; the others are combined",
  }),
  format: Type.Unsafe<"json" | "csv">({ ...literals("json", "csv"), default: "json" }),
});
const NamesQuery = strictObject({
  of: Type.Unsafe<AskedDimension>(literals(...askedDimensions)),
  text: Type.String({ default: "", maxLength: 128, title: "a part of the names" }),
  window: Type.String({ default: "7d", pattern: windowPattern, title: windowForms }),
});
const Names = Type.Object({ names: Type.Array(Type.String(), { description: "at most 20 that contain the text" }) });

const amount = (description: string) => Type.Number({ description });
const Group = Type.Object({
  kind: Type.Unsafe<CostView["groups"][number]["kind"]>({
    ...literals("group", "other", "idle"),
    description: "other: all groups beyond the most expensive ones; idle: idle cost",
  }),
  name: Type.String({ description: "empty for other, idle and groups without a name" }),
  usd: amount("cost in the window, US$"),
  requests: Type.Integer(),
  tokens: Type.Integer(),
  energyKwh: amount("energy above idle"),
  steps: Type.Array(orNull(Type.Number(), "null: no minute of the step is on record")),
});
export const CostViewAnswer = Type.Object({
  nowMs: amount("the controller's clock when the figures were read"),
  currency: Type.Literal("USD"),
  window: Type.Object({ startMs: Type.Number(), endMs: Type.Number() }),
  by: Type.Unsafe<Dimension>(literals(...dimensions)),
  stepMs: amount("length of a step; the last one may be shorter"),
  stepStarts: Type.Array(Type.Number()),
  totalUsd: amount("of all groups, US$"),
  requests: Type.Integer(),
  previousUsd: orNull(Type.Number(), "of an equal part of the preceding period; null: nothing on record"),
  groups: Type.Array(Group, { description: "most expensive first; they add up to totalUsd" }),
  others: Type.Integer({ description: "number of groups combined in other" }),
  warning: orNull(Type.String(), "what is missing from the figures; null: nothing"),
});
export type CostViewAnswer = ReadonlyStatic<typeof CostViewAnswer>;

/** Time for which an answer is given again: a month by device of a large fleet takes seconds to read. */
const freshMs = 30_000;
const maxKept = 32;
const maxNames = 20;

/** Hours of short windows, days of longer ones, weeks of those of months. */
function stepOf({ startMs, endMs }: TimeWindow): number {
  const lengthMs = endMs - startMs;
  if (lengthMs <= 2 * dayMs) return hourMs;
  return lengthMs <= 62 * dayMs ? dayMs : 7 * dayMs;
}

const options: Omit<AllocationQuery["options"], "filter"> = {
  ...{ shareIdle: "none", idleByNode: false, splitIdle: false, mergeUnallocated: false, share: null },
  ...{ shareSplit: "weighted", shareAny: [], sharedHourlyCosts: {}, sharedMonthlyCosts: {} },
};

function viewCsv({ groups, stepStarts, by }: CostViewAnswer): string {
  const steps = stepStarts.map((startMs) => `usd_from_${new Date(startMs).toISOString().slice(0, 16)}Z`);
  return writeCsv(
    ["kind", by, "usd", "requests", "tokens", "energy_kwh", ...steps],
    groups.map((group) => [
      ...[text(group.kind), text(group.name), figure(group.usd), figure(group.requests), figure(group.tokens)],
      ...[figure(group.energyKwh), ...group.steps.map((usd) => figure(usd ?? ""))],
    ]),
  );
}

/** Creates a store of answers that are given again for a while. */
function shortly<T>(nowMs: () => number) {
  const kept = new Map<string, { readonly atMs: number; readonly answer: Promise<T> }>();
  return (key: string, make: () => Promise<T>): Promise<T> => {
    const known = kept.get(key);
    const atMs = nowMs();
    if (known !== undefined && Math.abs(atMs - known.atMs) < freshMs) return known.answer;
    const answer = make();
    kept.delete(key);
    kept.set(key, { atMs, answer });
    // What can't be read is asked for again.
    answer.catch(() => kept.get(key)?.answer === answer && kept.delete(key));
    for (const oldest of kept.keys()) if (kept.size > maxKept) kept.delete(oldest);
    return answer;
  };
}

/** Routes of the cost page: what the fleet cost by step and group, and the names that it can be filtered by. */
export function costViewRoutes(parts: ApiParts) {
  const { fleet, timeZone, nowMs } = parts;
  const read = allocationReader(parts);
  const keptViews = shortly<CostViewAnswer>(nowMs);
  const keptNames = shortly<readonly string[]>(nowMs);
  const queryOf = (window: TimeWindow, stepMs: number, by: Dimension, filter: string): AllocationQuery => ({
    ...{ window, stepMs, aggregateBy: [by], includeIdle: true, accumulate: false, nowMs: nowMs() },
    options: { ...options, filter: readFilter(filter) },
  });
  const view = async (given: Static<typeof ViewQuery>): Promise<CostViewAnswer> => {
    const { window: asked, filter, top } = given;
    const by = dimensionOf(given.by);
    const window = readWindow(asked, nowMs(), timeZone);
    const stepMs = stepOf(window);
    if ((window.endMs - window.startMs) / stepMs > maxSets) refuse("window", `at most ${maxSets} weeks`, asked);
    const stepStarts: number[] = [];
    for (let at = window.startMs; at < window.endMs; at += stepMs) stepStarts.push(at);
    const query = queryOf(window, stepMs, by, filter);
    const dearest = by === "agent" ? await findDearestAgents(window, query.options.filter, Number(top), parts) : null;
    const { sets, warning } = await read(dearest === null ? query : { ...query, agents: dearest.agents });
    // Of the stretch before as much as has passed of this one: today so far beside yesterday until this time.
    const beforeMs = window.startMs - (window.endMs - window.startMs);
    const passedMs = Math.min(window.endMs, nowMs()) - window.startMs;
    const before = { startMs: beforeMs, endMs: beforeMs + passedMs };
    const previous = await read(queryOf(before, passedMs, by === "agent" ? "region" : by, filter));
    return {
      ...{ nowMs: nowMs(), currency: "USD" as const, window, by, stepMs, stepStarts },
      ...makeCostView(sets, stepStarts, Number(top), dearest?.others ?? null),
      previousUsd: previous.sets.length === 0 ? null : makeCostView(previous.sets, [], 1).totalUsd,
      warning,
    };
  };
  const names = async (of: Dimension, window: string): Promise<readonly string[]> => {
    if (of === "agent") return fleet.agents().map(({ agentId }) => agentId);
    const range = readWindow(window, nowMs(), timeZone);
    const { sets } = await read(queryOf(range, range.endMs - range.startMs, of, ""));
    return sets
      .flatMap(({ rows }) => rows.map(({ name }) => name))
      .filter((name) => name !== "" && name !== "__idle__");
  };
  return new Elysia()
    .get(
      "/api/v1/cost/view",
      async ({ query }) => {
        const { window, filter, top } = query;
        const by = dimensionOf(query.by);
        const answer = await keptViews(JSON.stringify([window, by, filter, top]), () => view(query));
        if (query.format === "json") return answerJson(answer);
        const saved = { "content-disposition": `attachment; filename="cost-by-${by}.csv"` };
        return answerText(viewCsv(answer), { "content-type": "text/csv; charset=utf-8", ...saved });
      },
      {
        query: ViewQuery,
        detail: {
          ...about(
            "cost",
            "Cost by step and group",
            "The most expensive groups, the others combined, and idle cost, by hour, day or week, compared with the preceding period: /allocation in the form the page needs.",
          ),
          responses: {
            200: {
              description: "The groups, in the format asked for.",
              content: {
                "application/json": { schema: CostViewAnswer as object },
                "text/csv": { schema: Type.String() },
              },
            },
            400: {
              description: "The window or the filter is not valid.",
              content: { "application/json": { schema: ErrorBody as object } },
            },
          },
        },
      },
    )
    .get(
      "/api/v1/cost/names",
      async ({ query: { of, text: wanted, window } }) => {
        const all = await keptNames(JSON.stringify([of, window]), () => names(dimensionOf(of), window));
        const lower = wanted.toLowerCase();
        const found = all.filter((name) => name.toLowerCase().includes(lower));
        const isFirst = (name: string) => Number(name.toLowerCase().startsWith(lower));
        return {
          names: found.sort((a, b) => isFirst(b) - isFirst(a) || a.localeCompare(b)).slice(0, maxNames),
        };
      },
      {
        query: NamesQuery,
        response: { 200: Names, 400: ErrorBody },
        detail: about("cost", "Names that costs can be filtered by", "Of tenants, models, regions or agents."),
      },
    );
}
