import { Composer, type UnitBlock } from "../fleet-plan/composition.ts";
import type { BacktestFleet, FleetDevices, FleetOffer } from "./backtest-fleet.ts";

const minuteS = 60;

/** Lists what a fleet can be composed of: the modes and offers that keep its SLO, with their price per minute. */
function unitBlocksOf(fleet: BacktestFleet): UnitBlock[] {
  const { targetUtilization, tariffUsdPerKwh, slo } = fleet;
  const usdOfWatts = (watts: number) => (watts * minuteS * tariffUsdPerKwh) / 3_600_000;
  /** Highest utilisation that keeps the SLO: as in the simulation, p95 rises with 1 / (1 - utilisation) above the target. Without a measured p95, the target. */
  const secureAt = (p95Ms: number) =>
    p95Ms > 0 && p95Ms <= slo.p95Ms
      ? Math.max(targetUtilization, 1 - (p95Ms * (1 - targetUtilization)) / slo.p95Ms)
      : targetUtilization;
  const isUsable = (p95Ms: number, capacityQps: number) => p95Ms <= slo.p95Ms && capacityQps * targetUtilization > 0;
  const ofDevices = fleet.devices.flatMap(({ modes, standbyWatts, usdPerHourActive }: FleetDevices, group) =>
    modes.flatMap(({ capacityQps, p95Ms, idleWatts, busyWatts }, mode) => {
      if (!isUsable(p95Ms, capacityQps)) return [];
      return {
        ...{ group, mode, isDevice: true },
        carriedQps: capacityQps * targetUtilization,
        fullQps: capacityQps,
        secureUtilization: secureAt(p95Ms),
        idleUsd: usdOfWatts(idleWatts - standbyWatts) + usdPerHourActive / 60,
        usdPerQps: usdOfWatts(busyWatts - idleWatts) / capacityQps,
      };
    }),
  );
  const ofOffers = fleet.cloud.flatMap(({ capacityQps, usdPerHour, usdPerRequest, p95Ms }: FleetOffer, index) => {
    if (!isUsable(p95Ms, capacityQps)) return [];
    return {
      ...{ group: fleet.devices.length + index, mode: 0, isDevice: false },
      carriedQps: capacityQps * targetUtilization,
      fullQps: capacityQps,
      secureUtilization: secureAt(p95Ms),
      idleUsd: usdPerHour / 60,
      usdPerQps: usdPerRequest * minuteS,
    };
  });
  return [...ofDevices, ...ofOffers];
}

/**
 * Composes minutes of this fleet.
 * @param coverShare price of possible traffic that is not covered, as a share of a lost request.
 */
export function createFleetComposer(fleet: BacktestFleet, coverShare: number) {
  const shortfallUsdPerQps = fleet.shortfallUsdPerRequest * minuteS;
  return new Composer({
    blocks: unitBlocksOf(fleet),
    groups: fleet.devices.length + fleet.cloud.length,
    spareDevices: fleet.spareDevices,
    shortfallUsdPerQps,
    uncoveredUsdPerQps: shortfallUsdPerQps * coverShare,
  });
}
