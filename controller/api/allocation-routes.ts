import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ServiceError } from "#platform/errors.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import type { AllocationOptions } from "../cost/allocation/allocation-input.ts";
import { fieldFault, matches } from "../cost/allocation/group-key.ts";
import type { AllocationQuery } from "../cost/metering/allocation-sets.ts";
import type { DeviceSum } from "../cost/metering/fleet-usage.ts";
import { filterForms, parseFilter } from "../cost/metering/parse-filter.ts";
import { windowForms, windowPattern } from "../cost/window/parse-window.ts";
import { AllocationView, AssetView, allocationView, assetView, SummaryView, summaryView } from "./allocation-views.ts";
import type { ApiParts } from "./api-parts.ts";
import { allocationReader } from "./finance/read-allocation.ts";
import { readWindow } from "./read-window.ts";
import { about, ErrorBody } from "./schemas.ts";

const yesOrNo = (standard: "true" | "false", description: string) =>
  Type.String({ pattern: "^(true|false)$", default: standard, title: "true or false", description });

const window = Type.String({ pattern: windowPattern, title: windowForms });
// Both fit percent-encoded into the 16 KB of a request's head.
const filter = Type.String({ ...{ default: "", maxLength: 500, title: filterForms } });

const costsPattern = "^$|^[^:,]{1,64}:[0-9]{1,9}([.][0-9]{1,12})?(,[^:,]{1,64}:[0-9]{1,9}([.][0-9]{1,12})?)*$";

const Query = strictObject({
  window,
  step: Type.Optional(
    Type.String({
      pattern: "^[1-9][0-9]{0,4}[mhdw]$",
      title: "15m, 1h, 1d or 1w",
      description: "length of a set; absent: the window",
    }),
  ),
  aggregate: Type.String({
    ...{ default: "", maxLength: 250, title: "a comma list, e.g. tenant,model" },
    description: "region, agent, tenant, model, label:NAME and OpenCost's names; all: one row",
  }),
  includeIdle: yesOrNo("false", "adds rows of idle cost"),
  shareIdle: Type.String({
    ...{ pattern: "^(true|weighted|even|false)$", default: "false", title: "true, weighted, even or false" },
    description: "idle cost is shared among the groups, by their cost or evenly",
  }),
  idleByNode: yesOrNo("false", "idle belongs to the users of its agent, not its region"),
  splitIdle: yesOrNo("false", "one row of idle cost per region or agent"),
  accumulate: yesOrNo("false", "all steps in one set"),
  shareNamespaces: Type.String({
    ...{ default: "", maxLength: 250, title: "a comma list of tenants" },
    description: "tenants whose cost (and shared idle cost) is borne by the others",
  }),
  shareLabels: Type.String({
    ...{
      default: "",
      maxLength: 250,
      pattern: "^$|^[^:,]+:[^,]*(,[^:,]+:[^,]*)*$",
      title: "a comma list of NAME:VALUE",
    },
    description: "labels of agents whose cost is borne by the others",
  }),
  shareHourlyCosts: Type.String({
    ...{ default: "", maxLength: 250, pattern: costsPattern, title: "a comma list of NAME:AMOUNT, e.g. dns:0.07" },
    description: "fixed costs per hour, US$, shared by the groups",
  }),
  sharedOverhead: Type.Optional(
    Type.Number({
      ...{ minimum: 0, maximum: 1e12 },
      description: "fixed costs per month of 730 hours, US$, shared by the groups",
    }),
  ),
  shareSplit: Type.String({
    ...{ default: "weighted", pattern: "^(weighted|even)$", title: "weighted or even" },
    description: "how shared costs are split: by the groups' cost without idle, or evenly",
  }),
  filter,
});
type Query = Static<typeof Query>;

/** Costs of a list of NAME:AMOUNT; of two of one name the sum. */
function readCosts(list: string): Record<string, number> {
  const costs = new Map<string, number>();
  for (const each of list === "" ? [] : list.split(",")) {
    const at = each.lastIndexOf(":");
    const name = each.slice(0, at);
    costs.set(name, (costs.get(name) ?? 0) + Number(each.slice(at + 1)));
  }
  return Object.fromEntries(costs);
}

/** Rows that are shared: of these tenants, or with one of these labels. */
function readShared({ shareNamespaces, shareLabels }: Query): AllocationOptions["shareAny"] {
  const eq = (field: string, value: string) => ({ op: "eq" as const, field, value });
  const listOf = (list: string) => (list === "" ? [] : list.split(","));
  return [
    ...listOf(shareNamespaces).map((tenant) => eq("namespace", tenant)),
    ...listOf(shareLabels).map((label) => {
      const at = label.indexOf(":");
      return eq(`label:${label.slice(0, at)}`, label.slice(at + 1));
    }),
  ];
}

const AssetQuery = strictObject({ window, filter });

const answerOf = <T extends TSchema>(row: T) =>
  Type.Object({
    code: Type.Literal(200),
    status: Type.Literal("success"),
    data: Type.Array(Type.Record(Type.String(), row), { description: "one set per step, with rows by name" }),
    warning: Type.Optional(Type.String({ description: "what is missing from the figures" })),
  });

/** Query of assets, which are not grouped. */
const ungrouped = {
  ...{ aggregate: "", includeIdle: "false", shareIdle: "false", idleByNode: "false", splitIdle: "false" },
  ...{ shareNamespaces: "", shareLabels: "", shareHourlyCosts: "", shareSplit: "weighted" },
  accumulate: "true",
} as const;
const perAgent = { perAgent: true };

/** Maximum sets of an answer. */
export const maxSets = 1000;
const unitMs: Readonly<Record<string, number>> = { m: minuteMs, h: hourMs, d: dayMs, w: 7 * dayMs };

/** Refuses a parameter. @throws ServiceError */
export function refuse(param: string, expected: string, got: string): never {
  throw new ServiceError("INVALID_REQUEST", `${param}: expected ${expected}, got "${got}"`, { details: { param } });
}

/** Reads the conditions of a query. @throws ServiceError naming what was expected */
export function readFilter(text: string): AllocationOptions["filter"] {
  const found = parseFilter(text);
  return found !== null && "expected" in found ? refuse("filter", found.expected, text) : found;
}

function readQuery(query: Query, nowMs: number, timeZone: string): AllocationQuery {
  const range = readWindow(query.window, nowMs, timeZone);
  const lengthMs = range.endMs - range.startMs;
  const { step } = query;
  const stepMs = step === undefined ? lengthMs : Number(step.slice(0, -1)) * (unitMs[step.slice(-1)] as number);
  if (lengthMs / stepMs > maxSets) refuse("step", `at most ${maxSets} steps in the window`, step ?? "");
  const aggregateBy = query.aggregate === "" ? [] : query.aggregate.split(",");
  for (const field of aggregateBy) {
    const fault = fieldFault(field);
    if (fault !== null)
      throw new ServiceError("INVALID_REQUEST", `aggregate: ${fault}`, { details: { param: "aggregate" } });
  }
  const shareIdle = { true: "weighted", weighted: "weighted", even: "even", false: "none" } as const;
  return {
    ...{ window: range, stepMs, aggregateBy, nowMs },
    includeIdle: query.includeIdle === "true",
    accumulate: query.accumulate === "true",
    options: {
      ...{ shareIdle: shareIdle[query.shareIdle as keyof typeof shareIdle], idleByNode: query.idleByNode === "true" },
      ...{ splitIdle: query.splitIdle === "true", mergeUnallocated: false, share: null },
      ...{ shareSplit: query.shareSplit as AllocationOptions["shareSplit"], shareAny: readShared(query) },
      ...{ filter: readFilter(query.filter), sharedHourlyCosts: readCosts(query.shareHourlyCosts) },
      sharedMonthlyCosts: query.sharedOverhead === undefined ? {} : { overhead: query.sharedOverhead },
    },
  };
}

/** Device as what a filter asks of. */
function placeOf({ region, agentId, labels }: DeviceSum) {
  return {
    ...{ cluster: region, node: agentId, namespace: "", pod: "", container: "", controllerKind: "", controller: "" },
    ...{ services: [], labels: { ...labels }, annotations: {} },
  };
}

const warningIn = ({ warning }: { readonly warning: string | null }) => (warning === null ? {} : { warning });

/** Routes of who pays what, with OpenCost's parameters and answers. */
export function allocationRoutes(parts: ApiParts) {
  const { fleetName, timeZone, nowMs } = parts;
  const answer = allocationReader(parts);
  const allocation = async (query: Query) => {
    const found = await answer(readQuery(query, nowMs(), timeZone));
    const data = found.sets.map(({ rows, window: of }) =>
      Object.fromEntries(rows.map((row) => [row.name, allocationView(row, of)])),
    );
    return { code: 200 as const, status: "success" as const, data, ...warningIn(found) };
  };
  const text =
    "By tenant, model, agent, region, label or any combination, like OpenCost's API, with idle cost shown separately or shared.";
  const described = (summary: string) => ({
    query: Query,
    response: { 200: answerOf(AllocationView), 400: ErrorBody },
    detail: about("cost", summary, text),
  });
  return new Elysia()
    .get("/allocation", ({ query }) => allocation(query), described("Allocation of the fleet's cost"))
    .get("/allocation/compute", ({ query }) => allocation(query), described("The same as /allocation"))
    .get(
      "/allocation/summary",
      async ({ query }) => {
        const found = await answer(readQuery(query, nowMs(), timeZone));
        const data = found.sets.map(({ rows, window: of }) =>
          Object.fromEntries(rows.map((row) => [row.name, summaryView(row, of)])),
        );
        return { code: 200 as const, status: "success" as const, data, ...warningIn(found) };
      },
      { ...described("Totals of /allocation"), response: { 200: answerOf(SummaryView), 400: ErrorBody } },
    )
    .get(
      "/assets",
      async ({ query }) => {
        const found = await answer({ ...readQuery({ ...ungrouped, ...query }, nowMs(), timeZone), ...perAgent });
        const conditions = readFilter(query.filter);
        const data = found.sets.map(({ devices, window: of }) =>
          Object.fromEntries(
            devices
              .filter((device) => matches(placeOf(device), conditions))
              .map((device) => [`${device.region}/${device.agentId}`, assetView(device, of, fleetName)]),
          ),
        );
        return { code: 200 as const, status: "success" as const, data, ...warningIn(found) };
      },
      {
        query: AssetQuery,
        response: { 200: answerOf(AssetView), 400: ErrorBody },
        detail: about("cost", "Cost of the devices", "Energy and amortisation of each, like OpenCost's nodes."),
      },
    );
}
