import { joulesPerKwh } from "#platform/energy.ts";

/**
 * Price of a text that a device computes: the electricity that it draws under load more than idle. What the device cost to buy is spent either
 * way. Null where the capacity, the draw or the tariff is unknown.
 */
export function electricityUsd(device: {
  readonly qps: number | null;
  readonly mode: { readonly busyWatts: number | null; readonly idleWatts: number | null } | null;
  readonly tariffUsdPerKwh: number | null;
}): number | null {
  const { qps, mode, tariffUsdPerKwh } = device;
  if (qps === null || qps <= 0 || mode === null || mode.busyWatts === null || tariffUsdPerKwh === null) return null;
  const joules = Math.max(0, mode.busyWatts - (mode.idleWatts ?? 0)) / qps;
  return (joules / joulesPerKwh) * tariffUsdPerKwh;
}
