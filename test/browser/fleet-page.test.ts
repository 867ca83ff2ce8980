import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { aReported } from "../fakes/builders.ts";
import { hostileText, steering } from "../fakes/hostile-text.ts";
import { expectGoodInAllLooks, expectNoAxeFindings, openPage, startBrowser } from "./browser.ts";
import { type SimulatedFleet, sixAgents, startSimulatedFleet } from "./simulated-fleet.ts";

/** Markup and text that steers, in every field that is free. */
const markup = `<img src=x onerror="document.title='broken'"><script>document.title='broken'</script>${hostileText}`;
const hostile = {
  id: "thor-z",
  presence: { role: "standby" as const, region: markup.slice(0, 64), version: markup.slice(0, 32) },
  birth: {
    region: markup.slice(0, 64),
    url: "javascript:document.title='broken'",
    tags: { hall: markup.slice(0, 64) },
  },
};

let browser: Browser;
let fleet: SimulatedFleet;

beforeAll(async () => {
  [browser, fleet] = await Promise.all([startBrowser(), startSimulatedFleet({ agents: [...sixAgents, hostile] })]);
});
afterAll(async () => {
  await browser?.close();
  await fleet?.close();
});

const rowsOf = "table.rows tbody tr:not(:has(td.empty))";
const rowCount = (count: number) => `document.querySelectorAll(${JSON.stringify(rowsOf)}).length === ${count}`;

test("the fleet is shown with its figures, each with unit and time, and its agents", async () => {
  const visit = await openPage(browser, fleet.url);
  const { page } = visit;
  await visit.see("text=thor-f");
  const tile = page.locator(".figure", { hasText: "forecast peak" });
  // The controller decides once a second, and knows it from then on.
  await tile.locator(".value", { hasText: /^[\d,.]+$/ }).waitFor();
  expect(await tile.locator(".unit").textContent()).toBe(" texts/s");
  expect(await tile.locator(".value").getAttribute("title")).toMatch(/^as of .+ 20\d\d, \d\d:\d\d:\d\d /);
  expect(await page.title()).toBe("Fleet · default · thormesh");
  const chart = page.getByRole("img", { name: /^Traffic, capacity and forecast: now [\d,.]+ texts\/s/ });
  await chart.waitFor();
  expect(await visit.transferredBytes()).toBeLessThan(120_000);
  visit.expectNoProblems();
  await visit.close();
});

test("each entry of the navigation leads to a page without an error", async () => {
  const visit = await openPage(browser, fleet.url);
  const { page } = visit;
  await visit.see("text=thor-f");
  const links = page.getByRole("navigation", { name: "Pages" }).getByRole("link");
  expect(await links.count()).toBeGreaterThan(4);
  for (const link of await links.all()) {
    await link.click();
    await visit.see("nav a[aria-current=page]");
    await visit.until('document.querySelector("main h1") !== null && document.querySelector(".banner.bad") === null');
    expect(await page.textContent("main")).not.toContain("There is no page here");
  }
  // There is no policy, which the API tells by 404 and the browser by a line of its console.
  expect(visit.problems.filter((each) => !each.includes("404"))).toEqual([]);
  await visit.close();
});

test("is accessible and whole, narrow and wide, light and dark", async () => {
  await expectGoodInAllLooks(browser, fleet.url, "text=thor-f", "fleet");
});

test("a chart's values can be read as a table", async () => {
  const visit = await openPage(browser, fleet.url);
  const { page } = visit;
  await visit.see("text=thor-f");
  await page.getByRole("button", { name: "show as table: Traffic, capacity and forecast" }).click();
  const table = page.getByRole("region", { name: "Traffic, capacity and forecast, as a table" });
  await table.getByRole("columnheader", { name: "capacity" }).waitFor();
  expect(await table.locator("tbody tr").count()).toBeGreaterThan(60);
  await page.getByRole("button", { name: "show as chart: Traffic, capacity and forecast" }).click();
  await page.getByRole("img", { name: /^Traffic, capacity and forecast/ }).waitFor();
  visit.expectNoProblems();
  await visit.close();
});

describe("the list of agents", () => {
  test("is filtered by the server, with fields and values completed, and the address keeps it", async () => {
    const visit = await openPage(browser, fleet.url);
    const { page } = visit;
    await visit.until(rowCount(7));
    await page.keyboard.press("/");
    await page.keyboard.type("region:");
    const completions = 'Array.from(document.querySelector("input[data-filter]").list.options, ({ value }) => value)';
    await visit.until(`${completions}.includes("region:hall-1")`);
    await page.keyboard.type("hall-1 -thor-c");
    await visit.until(rowCount(2));
    expect(new URL(page.url()).searchParams.get("q")).toBe("region:hall-1 -thor-c");
    await page.reload();
    await visit.until(rowCount(2));
    await visit.see("text=2 of 7");
    await page.fill("input[data-filter]", "regoin:x");
    await visit.see("#content .problem");
    expect(await page.textContent(".problem")).toContain("fields: state, region");
    await page.fill("input[data-filter]", "state:offline");
    await visit.see("text=No agent meets the filter.");
    expect(visit.problems.filter((each) => !each.includes("400"))).toEqual([]);
    await visit.close();
  });

  test("is sorted by the server, the highest first, and says so to readers", async () => {
    const visit = await openPage(browser, fleet.url);
    const { page } = visit;
    await visit.until(rowCount(7));
    await page.getByRole("button", { name: "power", exact: true }).click();
    await visit.see('th[aria-sort="descending"]:has-text("power")');
    const watts = `Array.from(document.querySelectorAll('td[data-label="power"]'), (each) => Number.parseFloat(each.textContent))`;
    await visit.until(
      `((all) => all.length === 7 && all.every((each, at) => at === 0 || each <= all[at - 1]))(${watts})`,
    );
    await page.getByRole("button", { name: "power", exact: true }).click();
    await visit.see('th[aria-sort="ascending"]:has-text("power")');
    expect(new URL(page.url()).searchParams.get("sort")).toBe("watts");
    visit.expectNoProblems();
    await visit.close();
  });
});

test("keys: / goes to the filter, Escape leaves it, ? shows the keys; the skip link leads past the navigation", async () => {
  const visit = await openPage(browser, fleet.url);
  const { page } = visit;
  await visit.until(rowCount(7));
  await page.keyboard.press("Tab");
  await visit.see("a.skip:focus");
  await page.keyboard.press("/");
  await visit.see("input[data-filter]:focus");
  await page.keyboard.press("?");
  expect(await page.inputValue("input[data-filter]")).toBe("?");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.getByRole("complementary", { name: "Keys" }).waitFor();
  await expectNoAxeFindings(page, ".keys");
  await page.keyboard.press("?");
  await page.getByRole("complementary", { name: "Keys" }).waitFor({ state: "detached" });
  await visit.close();
});

test("texts of agents are shown as they are, and do nothing", async () => {
  await fleet.send(
    "thor-z",
    "reported",
    aReported({
      agentId: "thor-z",
      sentAtMs: Date.now(),
      role: "standby",
      differs: [{ field: "powerMode", desired: "MAXN", reported: "70W", reason: markup.slice(0, 256) }],
    }),
  );
  for (const width of [360, 1280]) {
    const visit = await openPage(browser, fleet.url, { width });
    const { page } = visit;
    await visit.see("td:has-text('powerMode: <img src=x')");
    const shown = String(await page.evaluate("document.body.innerText"));
    expect(shown).not.toMatch(steering);
    expect(await page.locator("main img, main script, a[href^='javascript']").count()).toBe(0);
    expect(await page.title()).toBe("Fleet · default · thormesh");
    expect(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")).toBe(0);
    await expectNoAxeFindings(page);
    visit.expectNoProblems();
    await visit.close();
  }
});

test("an error of a script is shown, and can be dismissed", async () => {
  const visit = await openPage(browser, fleet.url);
  const { page } = visit;
  await visit.until(rowCount(7));
  await page.evaluate("setTimeout(() => { throw new Error('a bug of <b>ours</b>'); }, 0)");
  const alert = page.getByRole("alert").filter({ hasText: "a bug of <b>ours</b>" });
  await alert.waitFor();
  await expectNoAxeFindings(page);
  await alert.getByRole("button", { name: "dismiss" }).click();
  await visit.until("!document.body.textContent.includes('a bug of')");
  expect(visit.problems).toEqual([expect.stringContaining("a bug of")]);
  await visit.close();
});

test("a browser whose clock is two hours off is told, and nothing is stale by it", async () => {
  const visit = await openPage(browser, "about:blank");
  const { page } = visit;
  await page.clock.install({ time: Date.now() + 2 * 3_600_000 });
  await page.goto(fleet.url);
  await visit.see("text=clock is 2 h ahead of the controller's");
  await visit.until(rowCount(7));
  // Not the forecast: on a slow machine the next one may really be late.
  expect(await page.locator(".figure.stale", { hasText: /^(serving|power|p95)/ }).count()).toBe(0);
  await visit.close();
});

test("an agent whose clock is two hours off is told of beside it, and on its own page", async () => {
  const visit = await openPage(browser, "about:blank");
  const { page } = visit;
  const behind = (agent: object) => ({ ...agent, clockSkewMs: -2 * 3_600_000 });
  await page.route("**/api/v1/agents?*", async (route) => {
    const answer = await route.fetch();
    const list = (await answer.json()) as { agents: { agentId: string }[] };
    const agents = list.agents.map((agent) => (agent.agentId === "thor-b" ? behind(agent) : agent));
    await route.fulfill({ response: answer, json: { ...list, agents } });
  });
  await page.route("**/api/v1/agents/thor-b", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: behind((await answer.json()) as object) });
  });
  await page.goto(fleet.url);
  await visit.see("tr:has-text('thor-b') >> text=its clock is 2 h behind");
  expect(await page.locator("td", { hasText: "its clock is" }).count()).toBe(1);
  await page.getByRole("link", { name: "thor-b" }).click();
  await visit.see("text=/▲ 2 h behind/");
  await visit.close();
});

test("on paper there is no navigation, and every figure", async () => {
  const visit = await openPage(browser, fleet.url);
  const { page } = visit;
  await visit.until(rowCount(7));
  await page.emulateMedia({ media: "print" });
  expect(await page.locator(".top nav").isVisible()).toBe(false);
  expect(await page.locator(".figure").first().isVisible()).toBe(true);
  await visit.screenshot("fleet-print");
  await visit.close();
});

test("a controller that is started again is told of and found again, without loading the page", async () => {
  const visit = await openPage(browser, fleet.url);
  const { page } = visit;
  await visit.until(rowCount(7));
  await page.evaluate("document.body.dataset.mark = 'the same page'");
  await fleet.stopController();
  await visit.see(".banner.warn:has-text('No connection')");
  await visit.see(".figure.stale .as-of");
  await visit.screenshot("fleet-away");
  await expectNoAxeFindings(page);
  await fleet.startController();
  await visit.see(".connection.live");
  await visit.until(`${rowCount(7)} && document.querySelector(".banner.warn") === null`);
  expect(await page.evaluate("document.body.dataset.mark")).toBe("the same page");
  expect(visit.problems.filter((each) => !/ERR_|Failed to load resource/.test(each))).toEqual([]);
  await visit.close();
});
