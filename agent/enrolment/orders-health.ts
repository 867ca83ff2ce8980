import type { HealthCheck } from "#agent/serving/ports.ts";
import type { FleetOrders } from "./fleet-orders.ts";

/** Health of what this device is told: degraded for an hour after an order that it did not obey. */
export function ordersHealth(orders: FleetOrders): HealthCheck {
  const recent = orders.recentRefusal();
  const counts = [...orders.refused()].map(([rule, count]) => `${count} ${rule}`).join(", ");
  if (recent === null)
    return {
      status: "healthy",
      detail: counts === "" ? "only signed orders are obeyed" : `refused since the start: ${counts}`,
    };
  const since = new Date(recent.atMs).toISOString();
  return { status: "degraded", detail: `orders were refused (${counts}), the last one ${since}: ${recent.rule}` };
}
