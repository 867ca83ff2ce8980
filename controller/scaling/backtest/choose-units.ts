import type { BacktestFleet, FleetDevices, FleetOffer } from "./backtest-fleet.ts";
import { type FleetTarget, mostCapableMode, off } from "./simulate-fleet.ts";

/** Orders all units for policies that only count: devices in their most capable mode by electricity per request, then cloud units by price. */
export function orderUnits(fleet: BacktestFleet) {
  const devices = fleet.devices.flatMap((make, index) => Array.from({ length: make.count }, () => index));
  const modeOf = fleet.devices.map(mostCapableMode);
  const topOf = (index: number) => {
    const make = fleet.devices[index] as FleetDevices;
    return make.modes[modeOf[index] as number] as FleetDevices["modes"][number];
  };
  const wattsPerQps = (place: number) => {
    const { busyWatts, capacityQps } = topOf(devices[place] as number);
    return capacityQps > 0 ? busyWatts / capacityQps : Number.POSITIVE_INFINITY;
  };
  const order = [...devices.keys()].sort((a, b) => wattsPerQps(a) - wattsPerQps(b) || a - b);
  const priceOf = ({ usdPerHour, usdPerRequest, capacityQps }: FleetOffer) =>
    usdPerHour / capacityQps + usdPerRequest * 3600;
  const offers = [...fleet.cloud.entries()]
    .filter(([, { capacityQps, p95Ms }]) => capacityQps > 0 && p95Ms <= fleet.slo.p95Ms)
    .sort(([, a], [, b]) => priceOf(a) - priceOf(b));
  const capacities = [
    ...order.map((place) => topOf(devices[place] as number).capacityQps),
    ...offers.flatMap(([, { max, capacityQps }]) => Array.from({ length: max }, () => capacityQps)),
  ];
  return {
    capacities,
    target(count: number): FleetTarget {
      const modes = new Array<number>(devices.length).fill(off);
      for (const place of order.slice(0, count)) modes[place] = modeOf[devices[place] as number] as number;
      const units = fleet.cloud.map(() => 0);
      let left = Math.max(0, count - order.length);
      for (const [index, { max }] of offers) {
        units[index] = Math.min(left, max);
        left -= units[index] as number;
      }
      return { modes, units };
    },
    /** Returns the least number of units that carry a rate at the target utilisation. */
    countFor(qps: number): number {
      let carried = 0;
      let count = 0;
      while (carried < qps - 1e-9 && count < capacities.length) {
        carried += (capacities[count] as number) * fleet.targetUtilization;
        count += 1;
      }
      return count;
    },
  };
}
