import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { backtest } from "#forecast/backtest.ts";
import { createCalendar } from "#forecast/data/calendar.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { minuteMs } from "#platform/time.ts";
import { backtestReport, forecastReport } from "#tools/reports/pages";
import { expectGoodInAllLooks, openPage, startBrowser } from "./browser.ts";

const evil = `<img src=x onerror="document.title='owned'">${"W".repeat(10_000)}`;
const startMs = Date.UTC(2026, 0, 5);

let browser: Browser;
let directory: string;
beforeAll(async () => {
  browser = await startBrowser();
  directory = mkdtempSync(join(tmpdir(), "thormesh-reports-"));
});
afterAll(async () => {
  await browser?.close();
  rmSync(directory, { recursive: true, force: true });
});

async function write(name: string, html: string): Promise<string> {
  const path = join(directory, name);
  await Bun.write(path, html);
  return pathToFileURL(path).href;
}

test("the report about forecasts is accessible and whole, narrow and wide, light and dark", async () => {
  const random = seededRandom(5);
  const qps = Array.from({ length: 900 }, (_, minute) =>
    minute >= 840 && minute < 845 ? null : 20 + 10 * Math.sin(minute / 200) + 4 * random(),
  );
  const series = { startMs, qps, calendar: createCalendar("UTC", []) };
  const { replay, ...figures } = backtest(series, { stepMs: minuteMs, steps: 15, maxOrigins: 30, network: null });
  const section = { startMs, stepMs: minuteMs, steps: 15, timeZone: "Europe/Berlin", qps, figures, replay };
  const url = await write(
    "forecast.html",
    await forecastReport(
      [
        { ...section, name: "nasa.csv" },
        { ...section, name: evil },
      ],
      "1.2.3",
    ),
  );
  await expectGoodInAllLooks(browser, url, "text=Pinball loss of the peak", "report-forecast");
  const visit = await openPage(browser, url);
  expect(await visit.page.title()).toBe("Forecast backtest");
  await visit.page.locator("summary", { hasText: "Calibration as a table" }).first().click();
  await visit.page
    .getByRole("table", { name: /^Calibration/ })
    .first()
    .waitFor();
  await visit.page.emulateMedia({ media: "print" });
  await visit.screenshot("report-forecast-print");
  visit.expectNoProblems();
  await visit.close();
});

test("the report about policies is accessible and whole, narrow and wide, light and dark", async () => {
  const rates = Array.from({ length: 150 }, (_, minute) => 60 + 50 * Math.sin(minute / 23));
  const minutes = rates.map((rate) => ({ capacityQps: 100 * Math.ceil(rate / 80), costUsd: 0.01 }));
  const trace = (name: string) => ({
    ...{
      name,
      startMs,
      rates,
      rows: [
        ["mine", "14.40"],
        [evil, "14.40"],
      ],
    },
    results: [
      { policy: "mine", minutes },
      { policy: evil, minutes },
    ] as never,
  });
  const url = await write("backtest.html", await backtestReport("hall", ["policy", "cost US$"], [trace(evil)]));
  await expectGoodInAllLooks(browser, url, "text=mine: paid so far", "report-backtest");
});
