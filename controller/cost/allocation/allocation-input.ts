import { type Static, type TProperties, Type } from "@sinclair/typebox";
import { literals, strictObject } from "#platform/schema-parts.ts";

const maxMoney = 1e12;
const text = (description: string) => Type.String({ default: "", maxLength: 256, description });
const money = (description: string, minimum = 0) =>
  Type.Number({ default: 0, minimum, maximum: maxMoney, description });
const amount = (description: string) => Type.Number({ default: 0, minimum: 0, maximum: 1e21, description });
const names = (description: string) =>
  Type.Record(Type.String({ maxLength: 256 }), Type.String({ maxLength: 256 }), { default: {}, description });

/** Costs of a row by resource; below 0 only in idle rows. */
export const costFields = [
  ...["cpuCost", "ramCost", "gpuCost", "pvCost", "networkCost", "loadBalancerCost", "sharedCost", "externalCost"],
] as const satisfies readonly string[];
/** Costs that a node has and that may be idle. */
export const nodeCostFields = ["cpuCost", "ramCost", "gpuCost"] as const;

const places = {
  cluster: text("cluster; in thormesh the region"),
  node: text("node; in thormesh the agent or instance"),
  namespace: text("namespace; in thormesh the tenant"),
  controllerKind: text("kind of the controller, e.g. deployment"),
  controller: text("name of the controller"),
  pod: text("pod; in thormesh the agent"),
  container: text("container; in thormesh the model"),
  providerID: text("the node's name at its provider; not used"),
  services: Type.Array(Type.String({ maxLength: 256 }), {
    ...{ default: [], maxItems: 64, description: "services, the first of which counts" },
  }),
  labels: names("labels, for label:NAME and the aliases department, environment, owner, product and team"),
  annotations: names("annotations, for annotation:NAME and where a label is missing"),
};

const figures = {
  cpuCoreRequestAverage: amount("cores requested"),
  cpuCoreUsageAverage: amount("cores used"),
  ramByteRequestAverage: amount("bytes of memory requested"),
  ramByteUsageAverage: amount("bytes of memory used"),
  gpuRequestAverage: amount("GPUs requested"),
  gpuUsageAverage: amount("GPUs used"),
};

/** Fields of OpenCost's rows that no decision needs; they are allowed so that a row can be given as it came. */
const notUsed: TProperties = {
  set: Type.Optional(Type.String({ maxLength: 64, description: "not used" })),
  ...Object.fromEntries(
    ["cpuCoreHours", "ramByteHours", "gpuHours", "pvByteHours"].map((name) => [
      name,
      Type.Optional(Type.Number({ minimum: 0, maximum: 1e21, description: "not used" })),
    ]),
  ),
  pvs: Type.Optional(Type.Record(Type.String({ maxLength: 256 }), Type.Unknown(), { description: "not used" })),
};

export const AllocationItem = strictObject({
  name: Type.String({
    ...{ default: "", maxLength: 1024 },
    description: "name of the row; one with __idle__, __unmounted__ or __external__ in it is of that kind",
  }),
  idle: Type.Boolean({ default: false, description: "true: idle, whatever the name" }),
  ...places,
  minutes: Type.Optional(
    Type.Number({ minimum: 0, maximum: 1e9, description: "minutes it ran; absent: the whole window" }),
  ),
  ...figures,
  cpuCost: money("cost of cores; below 0 only where idle", -maxMoney),
  ramCost: money("cost of memory; below 0 only where idle", -maxMoney),
  gpuCost: money("cost of GPUs; below 0 only where idle", -maxMoney),
  pvCost: money("cost of volumes"),
  networkCost: money("cost of traffic"),
  loadBalancerCost: money("cost of load balancers"),
  sharedCost: money("cost shared out before"),
  externalCost: money("cost outside the fleet"),
  totalCost: Type.Optional(
    Type.Number({ minimum: -maxMoney, maximum: maxMoney, description: "sum of the costs; checked when given" }),
  ),
  ...notUsed,
});

export const AllocationNode = strictObject({
  cluster: places.cluster,
  node: places.node,
  cpuCost: money("list price of its cores in the window"),
  ramCost: money("list price of its memory in the window"),
  gpuCost: money("list price of its GPUs in the window"),
  discount: Type.Number({ default: 0, minimum: 0, maximum: 1, description: "discount on cores and memory" }),
  adjustment: money("difference of the bill to the discounted price", -maxMoney),
});

export const AllocationFilter = strictObject({
  op: literals("eq", "not-eq", "starts-with", "contains"),
  field: Type.String({ maxLength: 128, description: "what rows are grouped by, e.g. namespace, tenant, label:env" }),
  value: Type.String({ maxLength: 256 }),
});
export type AllocationFilter = Static<typeof AllocationFilter>;

const Filters = Type.Union([Type.Null(), AllocationFilter, Type.Array(AllocationFilter, { maxItems: 64 })]);

export const AllocationOptions = strictObject(
  {
    shareIdle: Type.Unsafe<"none" | "weighted" | "even">({
      ...literals("none", "weighted", "even"),
      ...{ default: "none", description: "idle as rows of its own, or given to those who use the rest" },
    }),
    idleByNode: Type.Boolean({ default: false, description: "idle belongs to the users of its node, not its cluster" }),
    splitIdle: Type.Boolean({ default: false, description: "a row of idle for each cluster or node" }),
    mergeUnallocated: Type.Boolean({ default: false, description: "all names with a missing part are one row" }),
    shareSplit: Type.Unsafe<"weighted" | "even">({
      ...literals("weighted", "even"),
      ...{ default: "weighted", description: "how shared costs are split between the groups" },
    }),
    share: { ...Filters, default: null, description: "rows whose cost the others share; null: none" },
    shareAny: Type.Array(AllocationFilter, {
      ...{ default: [], maxItems: 64, description: "rows that match one of these are shared, too" },
    }),
    filter: { ...Filters, default: null, description: "rows that are shown; null: all. Of a list all must match" },
    sharedHourlyCosts: Type.Record(Type.String({ maxLength: 128 }), Type.Number({ minimum: 0, maximum: maxMoney }), {
      default: {},
      description: "fixed costs an hour, which the groups share",
    }),
    sharedMonthlyCosts: Type.Record(Type.String({ maxLength: 128 }), Type.Number({ minimum: 0, maximum: maxMoney }), {
      default: {},
      description: "fixed costs a month of 730 hours, which the groups share",
    }),
  },
  { default: {} },
);

export const AllocationInput = strictObject({
  window: strictObject(
    {
      hours: Type.Number({ default: 24, minimum: 0, maximum: 1e6, description: "length of the window" }),
      minutes: Type.Optional(Type.Number({ minimum: 0, maximum: 1e8, description: "the same in minutes" })),
    },
    { default: {} },
  ),
  aggregateBy: Type.Array(Type.String({ maxLength: 128 }), {
    ...{ default: [], maxItems: 16 },
    description:
      "cluster (region), node (agent), namespace (tenant), pod, container (model), controllerKind, controller, deployment, statefulset, daemonset, job, service, department, environment, owner, product, team, label:NAME, annotation:NAME; all: one row; none: cluster, node, namespace, pod and container",
  }),
  options: AllocationOptions,
  items: Type.Array(AllocationItem, { maxItems: 1_000_000, description: "rows of cost, idle ones included" }),
  nodes: Type.Optional(
    Type.Array(AllocationNode, {
      maxItems: 100_000,
      description: "what the nodes cost, instead of rows of idle cost",
    }),
  ),
});
export type AllocationInput = Static<typeof AllocationInput>;
export type AllocationItem = Static<typeof AllocationItem>;
export type AllocationNode = Static<typeof AllocationNode>;
export type AllocationOptions = Static<typeof AllocationOptions>;
