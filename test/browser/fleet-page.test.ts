import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { expectGoodInAllLooks, openPage, startBrowser } from "./browser.ts";
import { type SimulatedFleet, startSimulatedFleet } from "./simulated-fleet.ts";

let browser: Browser;
let fleet: SimulatedFleet;

beforeAll(async () => {
  [browser, fleet] = await Promise.all([startBrowser(), startSimulatedFleet()]);
});
afterAll(async () => {
  await browser?.close();
  await fleet?.close();
});

test("the fleet is shown with its figures and agents", async () => {
  const visit = await openPage(browser, fleet.url);
  const { page } = visit;
  await visit.see("text=thor-f");
  const serving = page.locator(".figure", { hasText: "serving" }).locator(".value");
  expect(Number(await serving.textContent())).toBeGreaterThan(0);
  expect(await page.title()).toBe("Fleet · default · thormesh");
  visit.expectNoProblems();
  await visit.close();
});

test("is accessible and whole, narrow and wide, light and dark", async () => {
  await expectGoodInAllLooks(browser, fleet.url, "text=thor-f", "fleet");
});
