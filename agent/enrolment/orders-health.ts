import type { HealthCheck } from "#agent/serving/ports.ts";
import type { FleetOrders } from "./fleet-orders.ts";

/** Health of the orders to this device: degraded for an hour after a rejected one. */
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
