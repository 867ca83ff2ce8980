import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { expectNoAxeFindings, looks, openPage, startBrowser } from "./browser.ts";
import { type SimulatedFleet, startSimulatedFleet } from "./simulated-fleet.ts";

/** More than fit on one page of the table, and from which the map is shown. */
const agentCount = 500;

let browser: Browser;
let fleet: SimulatedFleet;

const agents = Array.from({ length: agentCount }, (_, index) => ({
  id: `thor-${String(index).padStart(4, "0")}`,
  presence: {
    role: index % 5 === 0 ? ("standby" as const) : ("active" as const),
    status: index % 50 === 7 ? ("offline" as const) : ("online" as const),
  },
  birth: { region: `hall-${index % 4}` },
}));

beforeAll(async () => {
  [browser, fleet] = await Promise.all([startBrowser(), startSimulatedFleet({ agents, historyMinutes: 1 })]);
});
afterAll(async () => {
  await browser?.close();
  await fleet?.close();
});

const firstAgent = `document.querySelector("table.rows tbody a")?.textContent`;
const map = 'canvas[aria-label^="Map of agents"]';

test("a hundred agents are on a page of the table, the others on the next ones", async () => {
  const visit = await openPage(browser, fleet.url);
  const { page } = visit;
  await visit.until(`${firstAgent} === "thor-0000"`);
  expect(await page.locator("table.rows tbody tr").count()).toBe(100);
  await page.getByRole("button", { name: "next →" }).click();
  await visit.until(`${firstAgent} === "thor-0100"`);
  expect(new URL(page.url()).searchParams.get("from")).toBe("100");
  await visit.see("text=101 to 200 of 500");
  await page.fill("input[data-filter]", "region:hall-1");
  await visit.until(`${firstAgent} === "thor-0001"`);
  await visit.see("text=125 of 500");
  visit.expectNoProblems();
  await visit.close();
});

test("the list has a page of its own", async () => {
  const visit = await openPage(browser, fleet.url);
  await visit.page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Agents" }).click();
  await visit.until(`location.pathname === "/agents" && ${firstAgent} === "thor-0000"`);
  await visit.see(map);
  await expectNoAxeFindings(visit.page);
  visit.expectNoProblems();
  await visit.close();
});

test("all agents are on the map, which says how many do what, and a cell opens its agent", async () => {
  const visit = await openPage(browser, fleet.url);
  const { page } = visit;
  await visit.see(map);
  await visit.until(`/\\d+ serving.*, 10 offline/.test(document.querySelector('${map}')?.getAttribute("aria-label"))`);
  const cell = { position: { x: 20, y: 6 } };
  await page.hover(map, cell);
  await visit.see(".pointed:has-text('thor-0001: serving')");
  await page.selectOption(".agent-map select", "power");
  expect(new URL(page.url()).searchParams.get("color")).toBe("power");
  await page.click(map, cell);
  await visit.until("location.pathname === '/agents/thor-0001'");
  visit.expectNoProblems();
  await visit.close();
});

test("is accessible and whole, narrow and wide, light and dark", async () => {
  for (const look of looks) {
    const visit = await openPage(browser, fleet.url, look);
    await visit.see(map);
    await visit.until(`${firstAgent} === "thor-0000"`);
    await visit.screenshot(`map-${look.width}-${look.dark ? "dark" : "light"}`);
    await expectNoAxeFindings(visit.page);
    visit.expectNoProblems();
    await visit.close();
  }
});
