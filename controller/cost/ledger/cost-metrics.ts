import type { Registry } from "prom-client";
import { registerGauges } from "#platform/fetch/scraped-metrics.ts";
import { dayMs, minuteMs } from "#platform/time.ts";
import { cleanText } from "#protocol/clean-text.ts";
import { moneyToNumber } from "../money/money.ts";
import { readGaps } from "./read-gaps.ts";
import { readUsage, type UsageParts } from "./read-usage.ts";

/** Figures of today by region, and what they lack. */
async function today(parts: UsageParts) {
  const nowMs = parts.nowMs();
  const startMs = Math.floor(nowMs / dayMs) * dayMs;
  const window = { startMs, endMs: startMs + dayMs };
  const usage = await readUsage(window, false, parts);
  const regions = new Map<string, { used: bigint; devices: bigint; offers: bigint }>();
  const of = (name: string) => {
    // As agents say it: the text goes to programs that show it.
    const region = cleanText(name);
    const known = regions.get(region) ?? { used: 0n, devices: 0n, offers: 0n };
    regions.set(region, known);
    return known;
  };
  for (const { region, cost } of usage.devices()) of(region).devices += cost;
  for (const { cluster, costs } of usage.items()) {
    of(cluster).used += costs.gpuCost;
    of(cluster).offers += costs.externalCost;
  }
  return { regions, gaps: await readGaps(parts.store, window.startMs, window.endMs) };
}

/** Registers what the fleet has cost today, read from the cost lines at most once a minute. */
export function registerCostMetrics(registry: Registry, parts: UsageParts): void {
  let read: { readonly atMs: number; readonly figures: ReturnType<typeof today> } | null = null;
  const figures = () => {
    const atMs = parts.nowMs();
    if (read === null || Math.abs(atMs - read.atMs) >= minuteMs) read = { atMs, figures: today(parts) };
    return read.figures;
  };
  registerGauges(
    registry,
    "thormesh_cost_today_usd",
    "Cost since midnight in UTC, US$: of devices what tenants used and the rest (idle), and what was paid to offers",
    ["region", "part"],
    async () =>
      [...(await figures()).regions].flatMap(([region, { used, devices, offers }]) => [
        [{ region, part: "used" }, moneyToNumber(used)] as const,
        [{ region, part: "idle" }, moneyToNumber(devices - used)] as const,
        [{ region, part: "offers" }, moneyToNumber(offers)] as const,
      ]),
  );
  registerGauges(
    registry,
    "thormesh_cost_gap_seconds",
    "Time of agents since midnight in UTC to which a configured price was applied, as the catalogue has none",
    ["section"],
    async () => {
      const sections = Map.groupBy((await figures()).gaps, ({ section }) => section);
      return [...sections].map(
        ([section, gaps]) => [{ section }, 60 * gaps.reduce((sum, { count }) => sum + count, 0)] as const,
      );
    },
  );
}
