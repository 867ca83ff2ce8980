import { hourMs, minuteMs } from "#platform/time.ts";
import type { DeviceCosts, RatedMinute, WorkCosts } from "../../store/costs/cost-rows.ts";
import type { AllocationItem } from "../allocation/allocation-input.ts";
import { type Costs, noCosts } from "../allocation/costs.ts";
import type { CostedNode } from "../allocation/node-idle.ts";
import type { Money } from "../money/money.ts";
import { createNamesToldApart, otherNames } from "../names-told-apart.ts";

type Labels = Readonly<Record<string, string>>;

/** Use that a tenant made of a model on an agent. */
interface Work {
  readonly agentId: string;
  readonly region: string;
  readonly tenant: string;
  readonly model: string;
  /** The one agent that did it all; empty: several did. */
  onlyAgent: string;
  used: Money;
  offers: Money;
  computeMs: number;
  activeKwh: number;
  requests: number;
  tokens: number;
}

/** Time and cost of a device; of all devices of a region where agentId is empty. */
export interface DeviceSum {
  readonly agentId: string;
  readonly region: string;
  readonly labels: Labels;
  energy: Money;
  amortisation: Money;
  /** Device's cost: energy and amortisation. */
  cost: Money;
  energyKwh: number;
  computeMs: number;
  observedMs: number;
  measuredMs: number;
}

/** Item of an allocation with its exact costs, and with the figures that allocations don't need. */
export interface WorkItem extends AllocationItem {
  readonly costs: Costs;
  readonly gpuHours: number;
  readonly activeKwh: number;
  readonly requests: number;
  readonly tokens: number;
}

const emptyItem = {
  ...{ name: "", idle: false, controllerKind: "", controller: "", providerID: "", services: [], annotations: {} },
  ...{ cpuCoreRequestAverage: 0, cpuCoreUsageAverage: 0, ramByteRequestAverage: 0, ramByteUsageAverage: 0 },
  ...{ gpuRequestAverage: 0, gpuUsageAverage: 0, cpuCost: 0, ramCost: 0, gpuCost: 0, pvCost: 0, networkCost: 0 },
  ...{ loadBalancerCost: 0, sharedCost: 0, externalCost: 0 },
} satisfies Partial<AllocationItem>;

/**
 * Adds up cost lines of devices (energy and amortisation) and of tenants' use of them by model; by agent, or by region if lines
 * name no agent.
 */
export class FleetUsage {
  readonly #labelsOf: (agentId: string) => Labels;
  readonly #work = new Map<string, Work>();
  readonly #devices = new Map<string, DeviceSum>();
  readonly #names = createNamesToldApart();

  /** @param labelsOf tells the labels of an agent, those of now. */
  constructor(labelsOf: (agentId: string) => Labels) {
    this.#labelsOf = labelsOf;
  }

  get isEmpty(): boolean {
    return this.#devices.size === 0 && this.#work.size === 0;
  }

  /**
   * Adds a minute of an agent: under its own name, or under its region's alone.
   * @param hidesAgent true: what only one agent did is not told as its work either
   */
  addMinute(agentId: string, { device, work, region }: RatedMinute, byAgent: boolean, hidesAgent = false): void {
    const name = byAgent ? agentId : "";
    const measuredMs = byAgent ? device.measuredMs : Math.min(device.measuredMs, device.observedMs);
    this.addDevice({ ...device, measuredMs, agentId: name, region });
    for (const part of work)
      this.addWork({ ...part, agentId: name, region, onlyAgent: byAgent || !hidesAgent ? agentId : "" });
  }

  addDevice(costs: DeviceCosts): void {
    const { agentId, region } = costs;
    const key = JSON.stringify([region, agentId]);
    const device = this.#devices.get(key) ?? {
      ...{ agentId, region, labels: agentId === "" ? {} : this.#labelsOf(agentId) },
      ...{ energy: 0n, amortisation: 0n, cost: 0n, energyKwh: 0, computeMs: 0, observedMs: 0, measuredMs: 0 },
    };
    this.#devices.set(key, device);
    device.energy += costs.energy;
    device.amortisation += costs.owning;
    device.cost += costs.energy + costs.owning;
    device.energyKwh += costs.energyKwh;
    device.computeMs += costs.computeMs;
    device.observedMs += costs.observedMs;
    device.measuredMs += costs.measuredMs;
  }

  addWork(costs: WorkCosts): void {
    const work = this.#workOf(costs);
    if (work.onlyAgent !== costs.onlyAgent) work.onlyAgent = "";
    work.used += costs.used;
    work.offers += costs.offers;
    work.computeMs += costs.computeMs;
    work.activeKwh += costs.activeKwh;
    work.requests += costs.requests;
    work.tokens += costs.tokens;
  }

  /** Lists devices by id. */
  devices(): DeviceSum[] {
    return [...this.#devices.values()].sort(
      (a, b) => a.agentId.localeCompare(b.agentId) || a.region.localeCompare(b.region),
    );
  }

  nodes(): CostedNode[] {
    return this.devices().map(({ region, agentId, cost }) => ({
      cluster: region,
      node: agentId,
      costs: [0n, 0n, cost],
    }));
  }

  items(): WorkItem[] {
    return [...this.#work.values()].map((work) => {
      const { agentId, region, onlyAgent } = work;
      const device = this.#devices.get(JSON.stringify([region, agentId]));
      return {
        ...emptyItem,
        ...{ cluster: region, node: onlyAgent, namespace: work.tenant, pod: onlyAgent, container: work.model },
        ...{ labels: onlyAgent === "" ? {} : { ...this.#labelsOf(onlyAgent) } },
        minutes: (device?.observedMs ?? 0) / minuteMs,
        costs: { ...noCosts, gpuCost: work.used, externalCost: work.offers },
        ...{ gpuHours: work.computeMs / hourMs, activeKwh: work.activeKwh },
        ...{ requests: work.requests, tokens: work.tokens },
      };
    });
  }

  #workOf({ agentId, region, model, tenant, onlyAgent }: WorkCosts): Work {
    const wanted = JSON.stringify([model, tenant]);
    // Lines of several agents were told apart as they were made.
    const pair = this.#names.of(onlyAgent === "" ? wanted : onlyAgent, wanted);
    const names = pair === otherNames ? { model: otherNames, tenant: otherNames } : { model, tenant };
    const key = JSON.stringify([region, agentId, pair]);
    const known = this.#work.get(key);
    if (known !== undefined) return known;
    const sums = { used: 0n, offers: 0n, computeMs: 0, activeKwh: 0, requests: 0, tokens: 0 };
    const work: Work = { agentId, region, ...names, onlyAgent, ...sums };
    this.#work.set(key, work);
    return work;
  }
}
