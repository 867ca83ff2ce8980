import { type Static, Type } from "@sinclair/typebox";
import { orNull } from "#platform/schema-parts.ts";
import { minuteMs } from "#platform/time.ts";
import { costFields } from "../cost/allocation/allocation-input.ts";
import { totalOf } from "../cost/allocation/costs.ts";
import type { AllocatedRow } from "../cost/metering/allocation-sets.ts";
import type { DeviceSum, WorkItem } from "../cost/metering/fleet-usage.ts";
import { moneyToNumber } from "../cost/money/money.ts";
import type { TimeWindow } from "../cost/window/parse-window.ts";

const money = (description: string) => Type.Number({ description: `${description}, US$` });
const amount = (description: string) => Type.Number({ description });
const time = Type.String({ description: "ISO 8601, UTC" });
const Window = Type.Object({ start: time, end: time });
const place = Type.Optional(Type.String({ description: "absent if the group has several" }));
const labels = Type.Record(Type.String(), Type.String(), { description: "labels common to the whole row" });
const span = { window: Window, start: time, end: time, minutes: amount("length of the window in minutes") };

export const AllocationView = Type.Object({
  name: Type.String({ description: "name of the group; __idle__: idle cost" }),
  properties: Type.Object({
    ...{ cluster: place, node: place, namespace: place, pod: place, container: place },
    labels,
  }),
  ...span,
  gpuHours: amount("device-hours in which it computed"),
  gpuCost: money("device time and energy above idle; of __idle__: the rest of the devices' cost"),
  gpuEfficiency: orNull(amount("1: tenants pay for what they used; null: idle")),
  ...Object.fromEntries(
    ["cpuCost", "ramCost", "pvCost", "networkCost", "loadBalancerCost"].map((name) => [
      name,
      money("0: a device's cost is in gpuCost"),
    ]),
  ),
  sharedCost: money("its part of shared costs"),
  externalCost: money("paid to offers outside the fleet"),
  totalCost: money("all of it"),
  totalEfficiency: orNull(amount("as gpuEfficiency")),
  energyKwh: amount("energy above idle"),
  requests: Type.Integer(),
  tokens: Type.Integer(),
});
export type AllocationView = Static<typeof AllocationView>;

export const SummaryView = Type.Object({
  name: Type.String(),
  start: time,
  end: time,
  gpuCost: AllocationView.properties.gpuCost,
  sharedCost: AllocationView.properties.sharedCost,
  externalCost: AllocationView.properties.externalCost,
  totalCost: AllocationView.properties.totalCost,
  totalEfficiency: AllocationView.properties.totalEfficiency,
});

export const AssetView = Type.Object({
  type: Type.Literal("Node"),
  properties: Type.Object({
    ...{ category: Type.Literal("Compute"), provider: Type.String(), cluster: Type.String(), name: Type.String() },
    providerID: Type.String(),
  }),
  labels,
  ...span,
  nodeType: Type.String(),
  gpuHours: amount("hours for which the device ran"),
  gpuCost: money("energy and amortisation"),
  energyCost: money("energy"),
  amortisationCost: money("amortisation"),
  energyKwh: amount("energy"),
  missingEnergyMinutes: amount("minutes whose energy is unknown: the true cost is higher than shown"),
  adjustment: money("0"),
  totalCost: money("all of it"),
});

const isoOf = (timeMs: number) => new Date(timeMs).toISOString().replace(".000Z", "Z");

function spanOf({ startMs, endMs }: TimeWindow) {
  const [start, end] = [isoOf(startMs), isoOf(endMs)];
  return { window: { start, end }, start, end, minutes: (endMs - startMs) / minuteMs };
}

const sum = (items: readonly WorkItem[], of: (item: WorkItem) => number) =>
  items.reduce((total, item) => total + of(item), 0);

/** Value that all rows of a group have; absent where they differ. */
function common(items: readonly WorkItem[], name: "cluster" | "node" | "namespace" | "pod" | "container") {
  const [first] = items;
  return first !== undefined && items.every((item) => item[name] === first[name]) ? { [name]: first[name] } : {};
}

function commonLabels(items: readonly WorkItem[]): Record<string, string> {
  const entries = Object.entries(items[0]?.labels ?? {});
  return Object.fromEntries(entries.filter(([name, value]) => items.every((item) => item.labels[name] === value)));
}

/** Row in OpenCost's form. */
export function allocationView({ name, costs, items }: AllocatedRow, window: TimeWindow): AllocationView {
  const places = (["cluster", "node", "namespace", "pod", "container"] as const).map((each) => common(items, each));
  const efficiency = items.length === 0 ? null : 1;
  return {
    name,
    properties: { ...Object.assign({}, ...places), labels: commonLabels(items) },
    ...spanOf(window),
    gpuHours: sum(items, (item) => item.gpuHours),
    ...(Object.fromEntries(costFields.map((field) => [field, moneyToNumber(costs[field])])) as Record<
      (typeof costFields)[number],
      number
    >),
    gpuEfficiency: efficiency,
    totalCost: moneyToNumber(totalOf(costs)),
    totalEfficiency: efficiency,
    energyKwh: sum(items, (item) => item.activeKwh),
    requests: sum(items, (item) => item.requests),
    tokens: sum(items, (item) => item.tokens),
  };
}

/** Row of a summary. */
export function summaryView(row: AllocatedRow, window: TimeWindow): Static<typeof SummaryView> {
  const { name, start, end, gpuCost, sharedCost, externalCost, totalCost, totalEfficiency } = allocationView(
    row,
    window,
  );
  return { name, start, end, gpuCost, sharedCost, externalCost, totalCost, totalEfficiency };
}

/** Device as an asset in OpenCost's form. */
export function assetView(device: DeviceSum, window: TimeWindow, fleetName: string): Static<typeof AssetView> {
  const { agentId, region, observedMs, measuredMs } = device;
  return {
    type: "Node",
    properties: {
      ...{ category: "Compute", provider: fleetName, cluster: region, name: agentId, providerID: agentId },
    },
    labels: { ...device.labels },
    ...spanOf(window),
    nodeType: "device",
    gpuHours: observedMs / 3_600_000,
    gpuCost: moneyToNumber(device.cost),
    energyCost: moneyToNumber(device.energy),
    amortisationCost: moneyToNumber(device.amortisation),
    energyKwh: device.energyKwh,
    missingEnergyMinutes: Math.max(0, observedMs - measuredMs) / minuteMs,
    adjustment: 0,
    totalCost: moneyToNumber(device.cost),
  };
}
