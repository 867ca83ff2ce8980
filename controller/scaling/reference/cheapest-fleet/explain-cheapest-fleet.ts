import type { CheapestFleet, FleetObstacle } from "./decide-cheapest-fleet.ts";

function explainObstacle(obstacle: FleetObstacle): string {
  if (obstacle.rule === "unserved") {
    return `demand.${obstacle.name}: no type can serve it; ${obstacle.rate} requests/s are left`;
  }
  const over = obstacle.over.map(({ name, needed, limit }) => `${name} ${needed} of ${limit} (${needed - limit} more)`);
  return `types: the limits are too low; the cheapest fleet without them needs ${over.join(", ")}`;
}

/** Explains a cheapest fleet, or why there is none, a sentence per line. */
export function explainCheapestFleet({ fleets, costPerHour, fleetUnique, obstacles }: CheapestFleet): string[] {
  if (obstacles.length > 0 || costPerHour === null) return obstacles.map(explainObstacle);
  const bought = Object.entries(fleets[0] ?? {}).flatMap(([name, count]) => (count > 0 ? [`${count} × ${name}`] : []));
  const partly = fleetUnique === null ? "; not every combination was tried" : "";
  return [`${bought.join(" and ") || "nothing"} for ${costPerHour} an hour${partly}`];
}
