import type { AllocationFilter, AllocationItem } from "./allocation-input.ts";

/** Part of a name where a row has no such label, service or controller. */
const unallocated = "__unallocated__";

/** Names of thormesh for OpenCost's places. */
const ownNames: Readonly<Record<string, string>> = {
  region: "cluster",
  agent: "node",
  device: "node",
  tenant: "namespace",
  model: "container",
};
const places = ["cluster", "node", "namespace", "pod", "container"] as const;
const controllerKinds = ["deployment", "statefulset", "daemonset", "job"];
const aliases: Readonly<Record<string, string>> = {
  ...{ department: "department", environment: "env", owner: "owner", product: "app", team: "team" },
};

type Place = Pick<AllocationItem, (typeof places)[number] | "controllerKind" | "controller"> &
  Pick<AllocationItem, "services" | "labels" | "annotations">;

const sanitized = (name: string) => name.replace(/[^A-Za-z0-9_]/g, "_");

function named(names: Readonly<Record<string, string>>, name: string): string | undefined {
  if (Object.hasOwn(names, name)) return names[name];
  const plain = sanitized(name);
  return Object.entries(names).find(([each]) => sanitized(each) === plain)?.[1];
}

/** Lists what the names of `aggregateBy` or of a filter's field may be, for an error; null for a name that is one. */
export function fieldFault(field: string): string | null {
  const words = [...places, ...Object.keys(ownNames), "controllerKind", "controller", ...controllerKinds, "service"];
  const known = [...words, ...Object.keys(aliases), "all"];
  if (known.includes(field) || /^(label|annotation):./.test(field)) return null;
  return `expected one of ${known.join(", ")}, label:NAME or annotation:NAME, got "${field}"`;
}

/** Value of a row's field, as it stands in the name of its group. */
function segmentOf(item: Place, field: string): string {
  const name = ownNames[field] ?? field;
  const place = places.find((each) => each === name);
  if (place !== undefined) return item[place];
  const orNone = (text: string | undefined) => (text === undefined || text === "" ? unallocated : text);
  if (name === "controllerKind") return orNone(item.controllerKind);
  if (name === "controller")
    return item.controller === "" ? unallocated : `${item.controllerKind}:${item.controller}`.replace(/^:/, "");
  if (controllerKinds.includes(name)) return orNone(item.controllerKind === name ? item.controller : undefined);
  if (name === "service") return orNone(item.services[0]);
  const [kind, ...rest] = name.split(":");
  if (kind === "label") return orNone(named(item.labels, rest.join(":")));
  if (kind === "annotation") return orNone(named(item.annotations, rest.join(":")));
  const alias = aliases[name] ?? name;
  return orNone(named(item.labels, alias) ?? named(item.annotations, alias));
}

/** Name of a row's group. */
export function groupKey(item: Place, aggregateBy: readonly string[], mergeUnallocated: boolean): string {
  if (aggregateBy.includes("all")) return "";
  const fields = aggregateBy.length === 0 ? places : aggregateBy;
  const key = fields.map((field) => segmentOf(item, field)).join("/");
  return mergeUnallocated && key.includes(unallocated) ? unallocated : key;
}

/** Tells whether a row matches all conditions; what it lacks is empty. */
export function matches(item: Place, filter: AllocationFilter | readonly AllocationFilter[] | null): boolean {
  const conditions = filter === null ? [] : [filter].flat();
  return conditions.every(({ op, field, value }) => {
    const segment = segmentOf(item, field);
    const own = segment === unallocated ? "" : segment;
    switch (op) {
      case "eq":
        return own === value;
      case "not-eq":
        return own !== value;
      case "starts-with":
        return own.startsWith(value);
      case "contains":
        return own.includes(value);
      default:
        return op satisfies never;
    }
  });
}
