import { createComposer, type UnitBlock } from "../fleet-plan/composition.ts";
import type { BacktestFleet, FleetDevices, FleetOffer } from "./backtest-fleet.ts";

const minuteS = 60;

/** What a fleet can be composed of: the modes and offers that keep its SLO, with what they cost for a minute. */
function unitBlocksOf(fleet: BacktestFleet): UnitBlock[] {
  const { targetUtilization, tariffUsdPerKwh, slo } = fleet;
  const usdOfWatts = (watts: number) => (watts * minuteS * tariffUsdPerKwh) / 3_600_000;
  /** As in the simulation: above the target, p95 rises with 1 / (1 - utilisation). A p95 that nobody has measured promises nothing. */
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
 * @param coverShare what only may come and is not covered counts for this share of a request lost.
 */
export function createFleetComposer(fleet: BacktestFleet, coverShare: number) {
  const shortfallUsdPerQps = fleet.shortfallUsdPerRequest * minuteS;
  return createComposer({
    blocks: unitBlocksOf(fleet),
    groups: fleet.devices.length + fleet.cloud.length,
    spareDevices: fleet.spareDevices,
    shortfallUsdPerQps,
    uncoveredUsdPerQps: shortfallUsdPerQps * coverShare,
  });
}
