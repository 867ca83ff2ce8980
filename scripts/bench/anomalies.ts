/** Days of recorded traffic, priced, with each day in turn made 25 % more expensive: which of them are found, and which others are held for anomalies. */

import { join } from "node:path";
import { decideCostAnomaly } from "#controller/cost/anomaly/decide-cost-anomaly.ts";
import type { DayOfCost } from "#controller/cost/anomaly/expected-cost.ts";
import { parseTrace, readTraceText } from "#forecast/data/parse-trace.ts";
import { ratesByMinute } from "#tools/reports/backtest/read-traffic.ts";
import { printRows } from "./print-rows.ts";

const dayMinutes = 1440;
const dearer = 1.25;
const learned = 28;
const weekDays = 7;
const terms = { threshold: 3.5, minUsd: 0.1 };
/** Mean cost of a day, US$. */
const usdPerDay = 100;
const root = join(import.meta.dir, "../..");
const given = process.argv.slice(2).filter((word) => word !== "--json");
const paths = given.length > 0 ? given : [join(root, "models/traffic-lstm/nasa_http_jul95_1min.csv")];

/** Requests of the whole days of a trace, by minute. */
async function readDays(path: string): Promise<{ name: string; days: number[][] }> {
  const trace = parseTrace(await readTraceText(path), path);
  const rates = ratesByMinute(trace);
  const days = Array.from({ length: Math.floor(rates.length / dayMinutes) }, (_, day) =>
    rates.slice(day * dayMinutes, (day + 1) * dayMinutes),
  );
  return { name: path.split("/").at(-1) as string, days };
}

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

const hoursOf = (day: readonly number[]) =>
  Array.from({ length: 24 }, (_, hour) => day.slice(hour * 60, hour * 60 + 60));

/** Cost of an hour: of requests alone, or of as many devices as its peak needs and energy by request. */
const pricings: Readonly<Record<string, (peak: number) => (hour: readonly number[]) => number>> = {
  "per request": () => sumOf,
  "devices and energy": (peak) => (hour) =>
    Math.max(1, Math.ceil((8 * Math.max(...hour)) / peak)) * 0.14 + (sumOf(hour) / (peak * dayMinutes)) * 8,
};

const rows: object[] = [];
for (const path of paths) {
  const { name, days } = await readDays(path);
  for (const [pricing, pricingOf] of Object.entries(pricings)) {
    const costOf = pricingOf(Math.max(...days.flat()));
    const costs = days.map((day) => hoursOf(day).map(costOf));
    const scale = usdPerDay / (sumOf(costs.flat()) / costs.length);
    const plain = days.map((day, index): DayOfCost => {
      const hours = hoursOf(day).map((hour, place) => ({
        ...{ costUsd: (costs[index]?.[place] ?? 0) * scale, requests: sumOf(hour) },
      }));
      return { costUsd: sumOf(hours.map(({ costUsd }) => costUsd)), requests: sumOf(day), hours };
    });
    /** The same day with cost and requests times these. */
    const changed = ({ costUsd, requests, hours = [] }: DayOfCost, cost: number, more: number): DayOfCost => ({
      ...{ costUsd: costUsd * cost, requests: requests * more },
      hours: hours.map((hour) => ({ costUsd: hour.costUsd * cost, requests: hour.requests * more })),
    });
    let [judged, found, foundAsTraffic, falseAlarms] = [0, 0, 0, 0];
    for (let at = weekDays; at < plain.length; at += 1) {
      const before = plain.slice(Math.max(0, at - learned), at);
      const day = plain[at] as DayOfCost;
      const isFound = (of: DayOfCost) => decideCostAnomaly({ ...terms, days: [...before, of] }).isAnomaly;
      judged += 1;
      falseAlarms += Number(isFound(day));
      found += Number(isFound(changed(day, dearer, 1)));
      foundAsTraffic += Number(isFound(changed(day, dearer, dearer)));
    }
    rows.push({
      ...{ trace: name, pricing, days: judged, recall: (found / judged).toFixed(2) },
      "false alarms a week": ((falseAlarms * weekDays) / judged).toFixed(2),
      "recall, 25 % more requests": pricing === "per request" ? (foundAsTraffic / judged).toFixed(2) : "-",
    });
  }
}
printRows(rows, process.argv.includes("--json"));
