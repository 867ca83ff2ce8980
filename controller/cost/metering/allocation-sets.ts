import { minuteMs } from "#platform/time.ts";
import type { Birth } from "#protocol/messages.ts";
import type { MinuteRecord } from "../../store/store.ts";
import type { AllocationOptions } from "../allocation/allocation-input.ts";
import { type Costs, plus } from "../allocation/costs.ts";
import { decideAllocation, idleRowName } from "../allocation/decide-allocation.ts";
import type { PriceSource } from "../prices/price-source.ts";
import type { TimeWindow } from "../window/parse-window.ts";
import { type DeviceSum, FleetUsage, type WorkItem } from "./fleet-usage.ts";

export interface AllocationQuery {
  readonly window: TimeWindow;
  /** Length of a set; the last one may be shorter. */
  readonly stepMs: number;
  readonly aggregateBy: readonly string[];
  readonly options: AllocationOptions;
  readonly includeIdle: boolean;
  /** True: one set, in which rows of one name are added up. */
  readonly accumulate: boolean;
}

export interface AllocatedRow {
  readonly name: string;
  readonly costs: Costs;
  readonly items: readonly WorkItem[];
}

/** Allocation of a part of the window. */
export interface AllocationSet {
  readonly window: TimeWindow;
  readonly rows: readonly AllocatedRow[];
  readonly devices: readonly DeviceSum[];
}

function allocate(usage: FleetUsage, window: TimeWindow, query: AllocationQuery): AllocationSet {
  const { options, aggregateBy, includeIdle } = query;
  const hours = (window.endMs - window.startMs) / 3_600_000;
  const input = {
    items: usage.items(),
    nodes: usage.nodes(),
    aggregateBy: [...aggregateBy],
    options,
    window: { hours },
  };
  const rows = decideAllocation(input).rows.map(({ name, costs, items }) => ({
    ...{ name, costs, items: items as readonly WorkItem[] },
  }));
  const isIdle = (name: string) => name === idleRowName || name.endsWith(`/${idleRowName}`);
  return { window, rows: includeIdle ? rows : rows.filter(({ name }) => !isIdle(name)), devices: usage.devices() };
}

/** Adds up sets: rows of one name, and devices by id. */
function accumulate(sets: readonly AllocationSet[], window: TimeWindow): AllocationSet {
  const rows = new Map<string, AllocatedRow>();
  const devices = new Map<string, DeviceSum>();
  for (const set of sets) {
    for (const row of set.rows) {
      const known = rows.get(row.name);
      const sum = known && { ...row, costs: plus(known.costs, row.costs), items: [...known.items, ...row.items] };
      rows.set(row.name, sum ?? row);
    }
    for (const device of set.devices) {
      const known = devices.get(device.agentId);
      devices.set(device.agentId, known === undefined ? device : addDevices(known, device));
    }
  }
  return { window, rows: [...rows.values()], devices: [...devices.values()] };
}

function addDevices(a: DeviceSum, b: DeviceSum): DeviceSum {
  return {
    ...{ ...a, energy: a.energy + b.energy, amortisation: a.amortisation + b.amortisation, cost: a.cost + b.cost },
    ...{ energyKwh: a.energyKwh + b.energyKwh, computeMs: a.computeMs + b.computeMs },
    ...{ observedMs: a.observedMs + b.observedMs, measuredMs: a.measuredMs + b.measuredMs },
  };
}

/** Allocates what a window's minutes cost, step by step. A step without any minute has no set. */
export async function allocateWindow(
  minutes: AsyncIterable<MinuteRecord>,
  query: AllocationQuery,
  { births, prices }: { readonly births: ReadonlyMap<string, Birth | null>; readonly prices: PriceSource },
): Promise<AllocationSet[]> {
  const { window, stepMs } = query;
  const sets: AllocationSet[] = [];
  const end = (usage: FleetUsage, index: number) => {
    const startMs = window.startMs + index * stepMs;
    sets.push(allocate(usage, { startMs, endMs: Math.min(window.endMs, startMs + stepMs) }, query));
  };
  let step = null as { readonly index: number; readonly usage: FleetUsage } | null;
  for await (const minute of minutes) {
    const index = Math.floor((minute.traffic.minuteStartMs - window.startMs) / stepMs);
    if (step?.index !== index) {
      if (step !== null) end(step.usage, step.index);
      step = { index, usage: new FleetUsage(births, prices) };
    }
    step.usage.add(minute);
  }
  if (step !== null) end(step.usage, step.index);
  return query.accumulate && sets.length > 0 ? [accumulate(sets, window)] : sets;
}

/** Agent-minutes whose energy is not known, and costs more than is shown. */
export function missingEnergyMinutes(sets: readonly AllocationSet[]): number {
  const missingMs = sets.flatMap(({ devices }) =>
    devices.map((each) => Math.max(0, each.observedMs - each.measuredMs)),
  );
  return missingMs.reduce((sum, each) => sum + each, 0) / minuteMs;
}
