import { minuteMs } from "#platform/time.ts";
import type { Birth } from "#protocol/messages.ts";
import type { MinuteRecord } from "../../store/store.ts";
import type { AllocationItem, AllocationNode } from "../allocation/allocation-input.ts";
import { type Money, moneyOf, moneyToNumber } from "../money/money.ts";
import { createNamesToldApart, otherNames } from "../names-told-apart.ts";
import { priceMinute } from "../price-minute.ts";
import type { PriceSource } from "../prices/price-source.ts";
import { deviceCostOf, splitMinute } from "../split-minute.ts";

/** Use that a tenant made of a model on an agent. */
interface Work {
  readonly agentId: string;
  readonly tenant: string;
  readonly model: string;
  used: Money;
  offers: Money;
  computeMs: number;
  activeKwh: number;
  requests: number;
  tokens: number;
}

/** Time and cost of a device. */
export interface DeviceSum {
  readonly agentId: string;
  readonly region: string;
  readonly labels: Readonly<Record<string, string>>;
  energy: Money;
  amortisation: Money;
  /** Device's cost: energy and amortisation. */
  cost: Money;
  energyKwh: number;
  computeMs: number;
  observedMs: number;
  measuredMs: number;
}

/** Item of an allocation with the figures that allocations don't need. */
export interface WorkItem extends AllocationItem {
  readonly gpuHours: number;
  readonly activeKwh: number;
  readonly requests: number;
  readonly tokens: number;
}

const emptyItem = {
  ...{ name: "", idle: false, controllerKind: "", controller: "", providerID: "", services: [], annotations: {} },
  ...{ cpuCoreRequestAverage: 0, cpuCoreUsageAverage: 0, ramByteRequestAverage: 0, ramByteUsageAverage: 0 },
  ...{ gpuRequestAverage: 0, gpuUsageAverage: 0, cpuCost: 0, ramCost: 0, pvCost: 0, networkCost: 0 },
  ...{ loadBalancerCost: 0, sharedCost: 0 },
} satisfies Partial<AllocationItem>;

/**
 * Adds up what agents' minutes cost: devices (energy and amortisation), and what tenants used of them by model. Regions and labels are those
 * of the agents' births.
 */
export class FleetUsage {
  readonly #births: ReadonlyMap<string, Birth | null>;
  readonly #prices: PriceSource;
  readonly #work = new Map<string, Work>();
  readonly #devices = new Map<string, DeviceSum>();
  readonly #names = createNamesToldApart();

  constructor(births: ReadonlyMap<string, Birth | null>, prices: PriceSource) {
    this.#births = births;
    this.#prices = prices;
  }

  add(minute: MinuteRecord): void {
    const { agentId, traffic } = minute;
    const birth = this.#births.get(agentId) ?? null;
    const prices = this.#prices.at(agentId, birth, traffic.minuteStartMs);
    const cost = priceMinute(minute, prices);
    const device = this.#deviceOf(agentId, birth);
    device.energy += moneyOf(cost.energyUsd);
    device.amortisation += moneyOf(cost.amortisationUsd);
    device.cost += deviceCostOf(cost);
    device.energyKwh += cost.energyKwh;
    device.observedMs += cost.observedMs;
    device.measuredMs += cost.measuredMs;
    if (traffic.models.length === 0) return;
    for (const part of splitMinute(minute, cost, prices.tariffUsdPerKwh)) {
      const work = this.#workOf(agentId, part);
      work.used += part.used;
      work.offers += part.offers;
      work.computeMs += part.computeMs;
      work.activeKwh += part.activeKwh;
      work.requests += part.requests;
      work.tokens += part.tokens;
      device.computeMs += part.computeMs;
    }
  }

  /** Lists devices by id. */
  devices(): DeviceSum[] {
    return [...this.#devices.values()].sort((a, b) => a.agentId.localeCompare(b.agentId));
  }

  nodes(): AllocationNode[] {
    return this.devices().map(({ region, agentId, cost }) => ({
      ...{ cluster: region, node: agentId, cpuCost: 0, ramCost: 0, gpuCost: moneyToNumber(cost) },
      ...{ discount: 0, adjustment: 0 },
    }));
  }

  items(): WorkItem[] {
    return [...this.#work.values()].map((work) => {
      const device = this.#devices.get(work.agentId) as DeviceSum;
      return {
        ...emptyItem,
        ...{ cluster: device.region, node: work.agentId, namespace: work.tenant, pod: work.agentId },
        ...{ container: work.model, labels: { ...device.labels }, minutes: device.observedMs / minuteMs },
        ...{ gpuCost: moneyToNumber(work.used), externalCost: moneyToNumber(work.offers) },
        ...{ gpuHours: work.computeMs / 3_600_000, activeKwh: work.activeKwh },
        ...{ requests: work.requests, tokens: work.tokens },
      };
    });
  }

  #deviceOf(agentId: string, birth: Birth | null): DeviceSum {
    const none = {
      ...{ agentId, region: birth?.region ?? "", labels: birth?.tags ?? {}, energy: 0n, amortisation: 0n, cost: 0n },
      ...{ energyKwh: 0, computeMs: 0, observedMs: 0, measuredMs: 0 },
    };
    const device = this.#devices.get(agentId) ?? none;
    this.#devices.set(agentId, device);
    return device;
  }

  #workOf(agentId: string, { model, tenant }: { readonly model: string; readonly tenant: string }): Work {
    const pair = this.#names.of(agentId, JSON.stringify([model, tenant]));
    const names = pair === otherNames ? { model: otherNames, tenant: otherNames } : { model, tenant };
    const key = `${agentId} ${pair}`;
    const none = { agentId, ...names, used: 0n, offers: 0n, computeMs: 0, activeKwh: 0, requests: 0, tokens: 0 };
    const work: Work = this.#work.get(key) ?? none;
    this.#work.set(key, work);
    return work;
  }
}
