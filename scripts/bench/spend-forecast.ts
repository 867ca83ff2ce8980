/** Spend of the next 7, 14 and 30 days, forecast at each day of recorded traffic that is priced, beside what it was: error, and how often the interval held it and how wide that is. */
import { basename, join } from "node:path";
import { decideSpendForecast, type SpentDay } from "#controller/cost/spend/decide-spend-forecast.ts";
import { parseTrace, readTraceText } from "#forecast/data/parse-trace.ts";
import { ratesByMinute } from "#tools/reports/backtest/read-traffic.ts";
import { median } from "./median.ts";
import { printRows } from "./print-rows.ts";

const dayMinutes = 1440;
const horizons = [7, 14, 30];
const root = join(import.meta.dir, "../..");
const given = process.argv.slice(2).filter((word) => word !== "--json");
const paths = given.length > 0 ? given : [join(root, "models/traffic-lstm/nasa_http_jul95_1min.csv")];
const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

async function readDays(path: string): Promise<{ rates: number[][]; firstWeekday: number }> {
  const trace = parseTrace(await readTraceText(path), path);
  const rates = ratesByMinute(trace);
  const days = Array.from({ length: Math.floor(rates.length / dayMinutes) }, (_, day) =>
    rates.slice(day * dayMinutes, (day + 1) * dayMinutes),
  );
  return { rates: days, firstWeekday: new Date(trace.startMs).getUTCDay() };
}

const pricings: Readonly<Record<string, (days: readonly number[][]) => number[]>> = {
  "per request": (days) => days.map(sumOf),
  "devices and energy": (days) => {
    const peak = Math.max(...days.flat());
    return days.map((day) => {
      const hours = Array.from({ length: 24 }, (_, hour) => Math.max(...day.slice(hour * 60, hour * 60 + 60)));
      return (
        sumOf(hours.map((rate) => Math.max(1, Math.ceil((8 * rate) / peak)))) * 0.14 +
        (sumOf(day) / (peak * dayMinutes)) * 8
      );
    });
  },
};

const rows: object[] = [];
const all = { covered: 0, count: 0, widths: [] as number[] };
for (const path of paths) {
  const { rates, firstWeekday } = await readDays(path);
  for (const [pricing, costsOf] of Object.entries(pricings)) {
    const days = costsOf(rates).map((usd, day): SpentDay => ({ usd, weekday: (firstWeekday + day) % 7 }));
    for (const horizon of horizons) {
      let [count, covered, error, actual, naive] = [0, 0, 0, 0, 0];
      const widths: number[] = [];
      for (let at = 8; at + horizon <= days.length; at += 1) {
        const next = days.slice(at, at + horizon);
        const coming = next.map(({ weekday }) => ({ weekday, share: 1, plannedUsd: 0 }));
        const { expectedUsd, lowUsd, highUsd } = decideSpendForecast({ past: days.slice(0, at), coming });
        if (lowUsd === null || highUsd === null) throw new Error("expected an interval after a week");
        const usd = sumOf(next.map((day) => day.usd));
        const week = days.slice(at - 7, at).map((day) => day.usd);
        count += 1;
        covered += Number(lowUsd <= usd && usd <= highUsd);
        widths.push((highUsd - lowUsd) / expectedUsd);
        all.widths.push((highUsd - lowUsd) / expectedUsd);
        error += Math.abs(expectedUsd - usd);
        naive += Math.abs((sumOf(week) / 7) * horizon - usd);
        actual += usd;
      }
      if (count === 0) continue;
      all.covered += covered;
      all.count += count;
      rows.push({
        ...{ trace: basename(path), pricing, days: horizon, origins: count },
        ...{
          "error %": ((100 * error) / actual).toFixed(1),
          "mean of the last week %": ((100 * naive) / actual).toFixed(1),
        },
        "within the interval": (covered / count).toFixed(2),
        "its width": `${median(widths).toFixed(2)} (worst ${Math.max(...widths).toFixed(2)})`,
      });
    }
  }
}
printRows(rows, process.argv.includes("--json"));
if (!process.argv.includes("--json"))
  console.log(
    `all: ${(all.covered / all.count).toFixed(2)} of ${all.count} within the interval of 80 %, which is ${median(all.widths).toFixed(2)} x the forecast wide (worst ${Math.max(...all.widths).toFixed(2)})`,
  );
