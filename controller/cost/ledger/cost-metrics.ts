import type { Registry } from "prom-client";
import { registerGauges } from "#platform/fetch/scraped-metrics.ts";
import { dayMs, minuteMs } from "#platform/time.ts";
import { cleanText } from "#protocol/clean-text.ts";
import type { KeptStore } from "../../store/store.ts";
import { listBaselines } from "../baseline/baselines.ts";
import { moneyToNumber } from "../money/money.ts";
import { readGaps } from "./read-gaps.ts";
import { readUsage, type UsageParts } from "./read-usage.ts";

/** Maximum tenants, and models, that have a series of their own; the others are one. */
const maxNamed = 20;
const others = "(other)";

/** Keeps the most expensive by name and adds up the rest. */
function dearest(costs: ReadonlyMap<string, bigint>): [name: string, cost: bigint][] {
  const sorted = [...costs].sort(([a, x], [b, y]) => (x === y ? a.localeCompare(b) : y > x ? 1 : -1));
  if (sorted.length <= maxNamed) return sorted;
  const rest = sorted.slice(maxNamed).reduce((sum, [, cost]) => sum + cost, 0n);
  return [...sorted.slice(0, maxNamed), [others, rest]];
}

/** Figures of today by region, tenant and model, and what they lack. */
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
  const [tenants, models] = [new Map<string, bigint>(), new Map<string, bigint>()];
  for (const { cluster, namespace, container, costs } of usage.items()) {
    of(cluster).used += costs.gpuCost;
    of(cluster).offers += costs.externalCost;
    for (const [sums, given] of [[tenants, namespace] as const, [models, container] as const]) {
      const name = cleanText(given);
      sums.set(name, (sums.get(name) ?? 0n) + costs.gpuCost + costs.externalCost);
    }
  }
  return {
    regions,
    tenants: dearest(tenants),
    models: dearest(models),
    gaps: await readGaps(parts.store, window.startMs, window.endMs),
  };
}

/** Registers what the fleet has cost today, read from the cost lines at most once a minute, and the baselines to compare it with. */
export function registerCostMetrics(
  registry: Registry,
  parts: UsageParts & { readonly store: Pick<KeptStore, "loadKept"> },
): void {
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
  for (const [label, key] of [["tenant", "tenants"] as const, ["model", "models"] as const])
    registerGauges(
      registry,
      `thormesh_${label}_cost_today_usd`,
      `Cost since midnight in UTC by ${label}, US$: what it used of devices, and what was paid to offers; the dearest 20`,
      [label],
      async () => (await figures())[key].map(([name, cost]) => [{ [label]: name }, moneyToNumber(cost)] as const),
    );
  registerGauges(
    registry,
    "thormesh_baseline_cost_usd_per_day",
    "Cost of a day of each baseline, US$",
    ["baseline"],
    async () =>
      (await listBaselines(parts.store))
        .filter(({ days }) => days > 0)
        .map(({ name, usd, days }) => [{ baseline: name }, usd / days] as const),
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
