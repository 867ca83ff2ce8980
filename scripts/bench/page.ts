/** The controller's page in a real browser: time until a large fleet is shown, and the longest that a user waits for what they do. */
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import type { Page } from "playwright-core";
import { openPage, startBrowser } from "../../test/browser/browser.ts";
import { startSimulatedFleet } from "../../test/browser/simulated-fleet.ts";
import { median } from "./median.ts";
import { printRows } from "./print-rows.ts";

const { values } = parseArgs({
  options: {
    agents: { type: "string", default: "10000" },
    rounds: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
});
const [count, rounds] = [Number(values.agents), Number(values.rounds)];
/** Limits, ms. */
const [firstLimitMs, actLimitMs] = [1_000, 100];

const agents = Array.from({ length: count }, (_, index) => ({
  id: `thor-${String(index).padStart(5, "0")}`,
  presence: { role: index % 5 === 0 ? ("standby" as const) : ("active" as const) },
  birth: { region: `hall-${index % 4}` },
}));
const firstRow = `document.querySelector("table.rows tbody a")?.textContent`;

/** Notes when the rows are there, and how long the browser took from each act of the user to its next picture. */
const watch = `
  globalThis.waits = [];
  new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) globalThis.waits.push(duration); })
    .observe({ type: "event", durationThreshold: 16, buffered: true });
  const look = new MutationObserver(() => {
    if (globalThis.shownMs === undefined && document.querySelector("table.rows tbody a") && document.querySelector(".connection.live"))
      globalThis.shownMs = performance.now();
  });
  document.addEventListener("DOMContentLoaded", () => look.observe(document.body, { childList: true, subtree: true, attributes: true }));
`;

/** Does what users do, and waits for what comes of it. */
async function act(page: Page, until: (expression: string) => Promise<void>): Promise<void> {
  await page.getByRole("button", { name: "power", exact: true }).click();
  await until(`document.querySelector('th[aria-sort="descending"]')?.textContent.includes("power")`);
  await page.getByRole("button", { name: "next →" }).click();
  await until("location.search.includes('from=100')");
  await page.keyboard.press("/");
  await page.keyboard.type("region:hall-1");
  await until(`${firstRow}?.startsWith("thor-") && document.body.textContent.includes(" of ")`);
  await page.selectOption(".agent-map select", "load");
  await page.hover('canvas[aria-label^="Map of agents"]', { position: { x: 40, y: 40 } });
  await page.getByRole("button", { name: "6 h" }).click();
  await page.getByRole("button", { name: "UTC" }).click();
  await page.getByRole("button", { name: "show as table: Traffic, capacity and forecast" }).click();
}

// Decisions as often as by default; the test's own fleets decide each second.
const config = { ingest: { maxAgents: 2 * count }, scaling: { intervalMs: 60_000 } };
const fleet = await startSimulatedFleet({ agents, historyMinutes: 1, config });
const browser = await startBrowser();
const [firstMs, actMs, bytes]: [number[], number[], number[]] = [[], [], []];
try {
  for (let round = 0; round <= rounds; round += 1) {
    const visit = await openPage(browser, "about:blank");
    await visit.page.addInitScript(watch);
    await visit.page.goto(fleet.url, { waitUntil: "domcontentloaded" });
    await visit.until("globalThis.shownMs !== undefined");
    await act(visit.page, visit.until);
    // The first round bundles the page and compiles what all use.
    if (round > 0) {
      firstMs.push(Number(await visit.page.evaluate("globalThis.shownMs")));
      actMs.push(Number(await visit.page.evaluate("Math.max(0, ...globalThis.waits)")));
      bytes.push(await visit.transferredBytes());
    }
    await visit.close();
  }
} finally {
  await browser.close();
  await fleet.close();
}
const row = (figure: string, figures: readonly number[], limitMs: number) => ({
  figure,
  medianMs: Math.round(median(figures)),
  worstMs: Math.round(Math.max(...figures)),
  limitMs,
  "median / limit": (median(figures) / limitMs).toFixed(2),
});
printRows(
  [
    row(`first rows of ${count} agents`, firstMs, firstLimitMs),
    row("longest wait for an act of the user", actMs, actLimitMs),
  ],
  values.json,
);
console.log(
  `${rounds} rounds, ${Math.round(median(bytes) / 1000)} kB transferred; ${cpus()[0]?.model}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}`,
);
process.exit(0);
