import { minuteMs } from "#platform/time.ts";
import type { AllocationOptions } from "../allocation/allocation-input.ts";
import { type Costs, plus } from "../allocation/costs.ts";
import { decideAllocation, idleRowName, overheadOf } from "../allocation/decide-allocation.ts";
import type { ToldApart } from "../ledger/read-usage.ts";
import type { TimeWindow } from "../window/parse-window.ts";
import type { DeviceSum, FleetUsage, WorkItem } from "./fleet-usage.ts";

export interface AllocationQuery {
  readonly window: TimeWindow;
  /** Length of a set; the last one may be shorter. */
  readonly stepMs: number;
  readonly aggregateBy: readonly string[];
  readonly options: AllocationOptions;
  readonly includeIdle: boolean;
  /** True: one set, in which rows of one name are added up. */
  readonly accumulate: boolean;
  /** The present: fixed costs of later hours are not spent yet. Default: the window's end. */
  readonly nowMs?: number;
  /** True: devices are kept separate, whatever the grouping. */
  readonly perAgent?: boolean;
  /** Agents that are told apart where agents are; of each region the others are together, under an empty name. Default: all. */
  readonly agents?: ReadonlySet<string>;
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
  // Of fixed costs only the time that has passed counts.
  const hours = Math.max(0, Math.min(window.endMs, query.nowMs ?? window.endMs) - window.startMs) / 3_600_000;
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
      const known = devices.get(JSON.stringify([device.region, device.agentId]));
      devices.set(
        JSON.stringify([device.region, device.agentId]),
        known === undefined ? device : addDevices(known, device),
      );
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

/** Groups and conditions that regions, tenants and models are enough for. */
const withoutAgents = new Set(["cluster", "region", "namespace", "tenant", "container", "model", "all"]);

/** Agents that a filter leaves, where nothing else depends on the others one by one; null: all that there are. */
function agentsOfFilter({ options }: Pick<AllocationQuery, "options">): ReadonlySet<string> | null {
  const { filter, share, shareAny, shareIdle } = options;
  const conditions = [filter ?? []].flat();
  const isShared = [...[share ?? []].flat(), ...shareAny].some(({ field }) => !withoutAgents.has(field));
  const names = conditions.flatMap(({ op, field, value }) =>
    op === "eq" && ["agent", "device", "node", "pod"].includes(field) ? [value] : [],
  );
  // What is shared evenly depends on the number of those who bear it.
  return isShared || shareIdle === "even" || names.length === 0 ? null : new Set(names.filter((name) => name !== ""));
}

/** True for a query whose answer depends on the agents one by one. */
function needsAgents({ aggregateBy, options, perAgent = false }: AllocationQuery): boolean {
  const { filter, share, shareAny, idleByNode } = options;
  const fields = [filter, share, shareAny].flatMap((each) => each ?? []).map(({ field }) => field);
  if (perAgent || idleByNode || aggregateBy.length === 0) return true;
  return [...fields, ...(aggregateBy.includes("all") ? [] : aggregateBy)].some((field) => !withoutAgents.has(field));
}

/** Allocates what a window's minutes cost, step by step. A step without any cost on record has no set. */
export async function allocateWindow(
  query: AllocationQuery,
  usageOf: (window: TimeWindow, told: ToldApart) => Promise<FleetUsage>,
): Promise<AllocationSet[]> {
  const { window, stepMs } = query;
  const told = needsAgents(query) && (query.agents ?? agentsOfFilter(query) ?? true);
  const hasOverhead = overheadOf(query.options, 1) > 0n;
  const sets: AllocationSet[] = [];
  for (let startMs = window.startMs; startMs < window.endMs; startMs += stepMs) {
    const step = { startMs, endMs: Math.min(window.endMs, startMs + stepMs) };
    const usage = await usageOf(step, told);
    const isPast = query.nowMs === undefined || step.startMs < query.nowMs;
    // Fixed costs are there without any minute, too.
    if (!usage.isEmpty || (hasOverhead && isPast)) sets.push(allocate(usage, step, query));
  }
  return query.accumulate && sets.length > 0 ? [accumulate(sets, window)] : sets;
}

/** Agent-minutes whose energy is unknown, and costs more than is shown. */
export function missingEnergyMinutes(sets: readonly AllocationSet[]): number {
  const missingMs = sets.flatMap(({ devices }) =>
    devices.map((each) => Math.max(0, each.observedMs - each.measuredMs)),
  );
  return missingMs.reduce((sum, each) => sum + each, 0) / minuteMs;
}
