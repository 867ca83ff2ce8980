import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { decisionToText } from "#cli/why.ts";
import type { CostViewAnswer } from "#controller/api/finance/cost-view-routes.ts";
import type { DecisionTimeline } from "#controller/api/schemas.ts";
import { dayMs, hourMs } from "#platform/time.ts";
import { expectGoodInAllLooks, openPage, startBrowser, type Visit } from "./browser.ts";
import { seedPrices, seedRecords } from "./seed-records.ts";
import { type SimulatedFleet, startSimulatedFleet } from "./simulated-fleet.ts";

let browser: Browser;
let fleet: SimulatedFleet;

const get = async <T>(path: string) => (await (await fetch(fleet.url + path)).json()) as T;

beforeAll(async () => {
  const started = startSimulatedFleet({ prepare: seedRecords, config: { cost: seedPrices } });
  [browser, fleet] = await Promise.all([startBrowser(), started]);
  const budget = {
    ...{ id: "all", scope: { kind: "fleet", name: null }, period: "monthly", amountUsd: 20 },
    actions: [{ atPercent: 80, action: "notify" }],
  };
  const headers = { "content-type": "application/json" };
  const set = await fetch(`${fleet.url}/api/v1/budgets`, { method: "POST", headers, body: JSON.stringify(budget) });
  expect(set.status).toBe(200);
});
afterAll(async () => {
  await browser?.close();
  await fleet?.close();
});

/** Opens a page, and closes it whatever happens; fails on whatever went wrong on it. */
async function on(path: string, ready: string, look: (visit: Visit) => Promise<void>): Promise<void> {
  const visit = await openPage(browser, fleet.url + path);
  try {
    await visit.see(ready);
    await look(visit);
    visit.expectNoProblems();
  } finally {
    await visit.close();
  }
}

describe("decisions", () => {
  test("are filtered and paged by the server, with the view in the address", () =>
    on("/decisions", "tbody >> text=change-modes", async ({ page, see }) => {
      await page.getByRole("link", { name: "older →" }).click();
      await see("text=newest");
      expect(new URL(page.url()).searchParams.get("before")).toMatch(/^\d+$/);
      await page.goBack();
      await page.getByLabel("what").selectOption("scale-in");
      await page.waitForURL(/kind=scale-in/);
      await see("tbody >> text=scale-in");
      await page.locator("tbody", { hasText: "change-modes" }).waitFor({ state: "detached" });
      await page.reload();
      await see("tbody >> text=scale-in");
      expect(await page.locator("tbody").textContent()).not.toContain("change-modes");
    }));

  test("one is opened from the list, and says what thormesh why says", () =>
    on("/decisions?kind=scale-out&agent=thor-a", "tbody a", async ({ page, see }) => {
      await page.locator("tbody a").first().click();
      await see("text=Agents that it could choose from");
      const id = page.url().split("/").at(-1);
      const [, ...lines] = decisionToText(await get(`/api/v1/decisions/${id}`)).split("\n");
      const shown = ((await page.locator("main").textContent()) ?? "").replaceAll(/\s+/g, " ");
      // In the terminal a fact is "label: text", here they stand beside each other.
      for (const line of lines) for (const part of line.trim().split(": ")) expect(shown).toContain(part.slice(0, 80));
    }));

  test("a mark on the chart opens its decision", () =>
    on("/decisions?hours=6", "text=marked moments", async ({ page, see }) => {
      const { nowMs, decisions } = await get<DecisionTimeline>("/api/v1/decisions/timeline?kind=scale-in&limit=1");
      const chart = page.locator(".chart .plot").first();
      const width = (await chart.boundingBox())?.width ?? 0;
      // Changes lie ten pixels apart on both sides of this one: another one is as good if the page is of some seconds ago.
      const ageMs = nowMs - (decisions[0]?.atMs ?? 0);
      await chart.click({ position: { x: width * (1 - ageMs / (6 * hourMs)), y: 60 } });
      await see("text=How it came about");
      expect(page.url()).toMatch(/\/decisions\/\d+$/);
    }));

  test("a name that is markup is text", () =>
    on("/decisions?kind=note", "tbody >> text=<img src=x>", async ({ page }) => {
      expect(await page.locator("main img").count()).toBe(0);
      expect(await page.locator("tbody").textContent()).toContain("\\u202e");
    }));

  test("one that is not on record is told", async () => {
    const visit = await openPage(browser, `${fleet.url}/decisions/999999`);
    await visit.see("text=there is no decision 999999");
    await visit.see("text=See all decisions");
    await visit.close();
  });
});

describe("forecast", () => {
  test("its figures are those of the API, for the window in the address", () =>
    on("/forecast?window=7d", "text=Peaks of 15 minutes", async ({ page }) => {
      const { accuracy } = await get<{ accuracy: Record<string, { forecasts: number }> }>("/api/v1/forecast/overview");
      const row = page.locator("tr", { hasText: "forecasts judged" });
      expect(await row.locator("td").nth(2).textContent()).toBe(String(accuracy["7d"]?.forecasts));
      expect(await page.getByRole("button", { name: "7 d" }).getAttribute("aria-pressed")).toBe("true");
      await page.getByRole("button", { name: "show as table" }).first().click();
      expect(await page.locator(".chart-table tbody tr").count()).toBeGreaterThan(10);
    }));
});

describe("cost", () => {
  const totals = async (query: string) => {
    const { data } = await get<{ data: Record<string, { totalCost: number }>[] }>(
      `/allocation/summary?includeIdle=true&accumulate=true&${query}`,
    );
    return data[0] ?? {};
  };
  const dollars = (text: string | null) => Number((text ?? "").replaceAll(/[$,]/g, ""));

  test("the table is what thormesh cost says of the same window", async () => {
    // Days that are over: their costs change no more while the test looks at them.
    const todayMs = Math.floor(Date.now() / dayMs) * dayMs;
    const [from, until] = [14, 2].map((days) => new Date(todayMs - days * dayMs).toISOString().slice(0, 10));
    const rows = await totals(`aggregate=model&window=${todayMs - 14 * dayMs},${todayMs - dayMs}`);
    await on(`/cost?by=model&from=${from}&until=${until}`, "tbody >> text=idle", async ({ page }) => {
      const shown = page.locator('section[aria-label="Cost by model: the table"] tbody tr');
      expect(await shown.count()).toBe(Object.keys(rows).length);
      for (const [name, { totalCost }] of Object.entries(rows)) {
        const row = shown.filter({ hasText: name === "__idle__" ? "idle" : name });
        expect(dollars(await row.locator("td").nth(1).textContent())).toBeCloseTo(totalCost, 2);
      }
      const sum = Object.values(rows).reduce((total, { totalCost }) => total + totalCost, 0);
      const figure = page.locator(".figure", { hasText: "cost" }).first().locator(".value");
      expect(dollars(await figure.textContent())).toBeCloseTo(sum, 2);
    });
  });

  test("a filter is completed by the server, is in the address, and goes again", () =>
    on("/cost?window=30d", "tbody >> text=idle", async ({ page, see }) => {
      await page.getByLabel("named").fill("sho");
      await page.locator("datalist option").first().waitFor({ state: "attached" });
      await page.getByLabel("named").fill("shop");
      await see("text=tenant: shop");
      expect(new URL(page.url()).searchParams.get("tenant")).toBe("shop");
      await page.reload();
      await see("text=tenant: shop");
      const view = await get<CostViewAnswer>(
        `/api/v1/cost/view?window=30d&filter=${encodeURIComponent('tenant:"shop"')}`,
      );
      expect(view.groups.map(({ kind, name }) => name || kind)).toEqual(["shop", "idle"]);
      await page.getByLabel("no longer only tenant shop").click();
      await see("tbody >> text=others");
    }));

  test("going into a tenant breaks it down by model, with names as text", () =>
    on("/cost?window=30d", "tbody >> text=idle", async ({ page, see }) => {
      await page.locator("tbody a", { hasText: "shop" }).click();
      await see("tbody >> text=<b>bge</b>");
      expect(await page.locator("label", { hasText: /^by/ }).locator("select").inputValue()).toBe("model");
    }));

  test("the table as CSV is one that spreadsheets read", () =>
    on("/cost?window=30d", "text=this table as CSV", async ({ page }) => {
      const href = await page.getByRole("link", { name: "this table as CSV" }).getAttribute("href");
      const lines = (await (await fetch(fleet.url + href)).text()).trimEnd().split("\r\n");
      expect(lines[0]).toStartWith("kind,tenant,usd,requests");
      expect(lines.length).toBeGreaterThan(10);
      const focus = await page.getByRole("link", { name: "FOCUS 1.2" }).getAttribute("href");
      expect((await fetch(fleet.url + focus)).status).toBe(200);
    }));

  test("figures that are not complete say so", () =>
    // Agents of the simulation measure for all of each minute, those before it for all as well: nothing lacks.
    on("/cost", "tbody >> text=idle", async ({ page }) => {
      expect(await page.locator("text=Not complete").count()).toBe(0);
      expect(await page.locator(".figure .value").allTextContents()).not.toContain("NaN");
    }));
});

test.each([
  ["decisions", "/decisions", "tbody a"],
  ["decision", "/decisions/136", "text=Agents that it could choose from"],
  ["forecast", "/forecast", "text=Live accuracy"],
  ["cost", "/cost", "tbody >> text=idle"],
])("%s: accessible and whole, narrow and wide, light and dark", (name, path, ready) =>
  expectGoodInAllLooks(browser, fleet.url + path, ready, name),
);
