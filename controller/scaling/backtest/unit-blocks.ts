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
  const ofDevices = fleet.devices.flatMap(({ modes, standbyWatts, usdPerHourActive }: FleetDevices, group) =>
    modes.map((mode, place) => ({
      block: {
        group,
        mode: place,
        isDevice: true,
        carriedQps: mode.capacityQps * targetUtilization,
        fullQps: mode.capacityQps,
        secureUtilization: secureAt(mode.p95Ms),
        idleUsd: usdOfWatts(mode.idleWatts - standbyWatts) + usdPerHourActive / 60,
        usdPerQps: mode.capacityQps > 0 ? usdOfWatts(mode.busyWatts - mode.idleWatts) / mode.capacityQps : 0,
      },
      p95Ms: mode.p95Ms,
    })),
  );
  const ofOffers = fleet.cloud.map(({ capacityQps, usdPerHour, usdPerRequest, p95Ms }: FleetOffer, index) => ({
    block: {
      group: fleet.devices.length + index,
      mode: 0,
      isDevice: false,
      carriedQps: capacityQps * targetUtilization,
      fullQps: capacityQps,
      secureUtilization: secureAt(p95Ms),
      idleUsd: usdPerHour / 60,
      usdPerQps: usdPerRequest * minuteS,
    },
    p95Ms,
  }));
  return [...ofDevices, ...ofOffers]
    .filter(({ block, p95Ms }) => p95Ms <= slo.p95Ms && block.carriedQps > 0)
    .map(({ block }) => block);
}

/**
 * Composes minutes of this fleet.
 * @param coverShare price of what may come and is not covered, as a share of a lost request.
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
