/** Days of recorded traffic, priced, with each day in turn made 25 % dearer: which of them are found, and which others are held for anomalies. */

import { join } from "node:path";
import { type DayOfCost, decideCostAnomaly } from "#controller/cost/anomaly/decide-cost-anomaly.ts";
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

/** Cost of each day: of requests alone, or of as many devices as each hour's peak needs and energy by request. */
const pricings: Readonly<Record<string, (days: readonly number[][]) => number[]>> = {
  "per request": (days) => days.map(sumOf),
  "devices and energy": (days) => {
    const peak = Math.max(...days.flat());
    return days.map((day) => {
      const hours = Array.from({ length: 24 }, (_, hour) => Math.max(...day.slice(hour * 60, hour * 60 + 60)));
      const devices = sumOf(hours.map((rate) => Math.max(1, Math.ceil((8 * rate) / peak))));
      return devices * 0.14 + (sumOf(day) / (peak * dayMinutes)) * 8;
    });
  },
};

const rows: object[] = [];
for (const path of paths) {
  const { name, days } = await readDays(path);
  for (const [pricing, costsOf] of Object.entries(pricings)) {
    const costs = costsOf(days);
    const scale = usdPerDay / (sumOf(costs) / costs.length);
    const plain = costs.map(
      (cost, index): DayOfCost => ({ costUsd: cost * scale, requests: sumOf(days[index] ?? []) }),
    );
    let [judged, found, foundAsTraffic, falseAlarms] = [0, 0, 0, 0];
    for (let at = weekDays; at < plain.length; at += 1) {
      const before = plain.slice(Math.max(0, at - learned), at);
      const { costUsd, requests } = plain[at] as DayOfCost;
      const isFound = (day: DayOfCost) => decideCostAnomaly({ ...terms, days: [...before, day] }).isAnomaly;
      judged += 1;
      falseAlarms += Number(isFound({ costUsd, requests }));
      found += Number(isFound({ costUsd: costUsd * dearer, requests }));
      foundAsTraffic += Number(isFound({ costUsd: costUsd * dearer, requests: requests * dearer }));
    }
    rows.push({
      ...{ trace: name, pricing, days: judged, recall: (found / judged).toFixed(2) },
      "false alarms a week": ((falseAlarms * weekDays) / judged).toFixed(2),
      "recall, 25 % more requests": pricing === "per request" ? (foundAsTraffic / judged).toFixed(2) : "-",
    });
  }
}
printRows(rows, process.argv.includes("--json"));
