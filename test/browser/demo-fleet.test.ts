import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import type { DecisionTimeline } from "#controller/api/schemas.ts";
import { eventually, type Program, startProgram, temporaryDirectory } from "../e2e/program.ts";
import { openPage, startBrowser, type Visit } from "./browser.ts";

let browser: Browser;
let directory: ReturnType<typeof temporaryDirectory>;
/** `thormesh demo` as the quickstart runs it, with two boards of its four: real processes, model, broker, forecasts and traffic. */
let demo: Program;
/** All that the demo has printed for people. */
let fleetUrl: string;
let apiKey: string;
let agentUrl: string;
/** One window for all tests, logged in by the key that the demo prints. */
let visit: Visit;

const get = async <T>(path: string) =>
  (await (await fetch(fleetUrl + path, { headers: { authorization: `Bearer ${apiKey}` } })).json()) as T;

beforeAll(async () => {
  directory = temporaryDirectory();
  demo = startProgram(["demo", "--agents", "2"], directory.path, { TMPDIR: directory.path });
  // Its screen is read, so that it never waits for its reader.
  void new Response(demo.child.stdout).text().catch(() => undefined);
  [browser] = await Promise.all([startBrowser(), demo.untilLogged("traffic: NASA")]);
  const said = demo.log();
  [, fleetUrl = "", apiKey = ""] = /the fleet in a browser: (\S+)\/ \(log in with (\S+)\)/.exec(said) ?? [];
  [, agentUrl = ""] = /agent thor-1 ready: (\S+)/.exec(said) ?? [];
  visit = await openPage(browser, `${fleetUrl}/`);
  const { page } = visit;
  await visit.see("input[name=key]");
  await page.fill("input[name=key]", apiKey);
  await page.getByRole("button", { name: "Log in" }).click();
  await visit.see("text=thor-1");
});
afterAll(async () => {
  await browser?.close();
  await demo?.stop("SIGINT");
  directory?.remove();
});

/** Goes to a page by the navigation, as people do. */
const goTo = (name: string) =>
  visit.page.getByRole("navigation").first().getByRole("link", { name, exact: true }).click();

/** Waits until each of these figures is a number above 0 (unknown is "–"). */
async function seeFigures(labels: readonly string[], on: Visit = visit): Promise<void> {
  const read = async () =>
    (await on.page.evaluate(
      `Object.fromEntries([...document.querySelectorAll(".figure")].map((each) =>
        [each.querySelector("dt").textContent, each.querySelector(".value").textContent]))`,
    )) as Record<string, string>;
  await eventually(read, (shown) => labels.every((label) => /[1-9]/.test(shown[label] ?? "")));
}

/** Fails on any error in the console, on any request elsewhere, and on figures that are no numbers. */
async function isSound(name: string, on: Visit = visit): Promise<void> {
  await on.screenshot(`demo-${name}`);
  on.expectNoProblems();
  expect(await on.page.textContent("main")).not.toMatch(/NaN|undefined|\[object|Infinity/);
}

test("Fleet: what serves, what it costs, what is coming, and why", async () => {
  await seeFigures(["serving", "rate", "forecast peak", "p95 latency", "power", "cost"]);
  await visit.see("figure svg");
  const rows = visit.page.locator("tbody tr", { hasText: /thor-1|classic-1/ });
  await eventually(
    async () => rows.count(),
    (count) => count >= 2,
  );
  // Live: figures change without a reload.
  const power = visit.page.locator(".figure", { hasText: "power" }).locator(".value");
  const first = await power.textContent();
  await eventually(
    async () => power.textContent(),
    (text) => text !== first,
  );
  await isSound("fleet");
});

test("Agents, and one agent", async () => {
  await goTo("Agents");
  const link = visit.page.locator("tbody").getByRole("link", { name: "thor-1" });
  await link.waitFor();
  await isSound("agents");
  await link.click();
  await visit.see("h1:has-text('thor-1')");
  await seeFigures(["rate", "capacity", "forecast peak", "power", "temperature"]);
  // All that it computes was passed on by the entry, at which it counts as answered.
  await visit.page.getByRole("img", { name: /^Traffic: highest (?!0 texts)/ }).waitFor();
  await visit.page.getByRole("region", { name: "Desired and reported" }).getByText("as desired").first().waitFor();
  await isSound("agent");
});

test("Decisions, and one of them", async () => {
  await eventually(
    () => get<DecisionTimeline>("/api/v1/decisions/timeline?limit=1"),
    ({ decisions }) => decisions.length > 0,
  );
  await goTo("Decisions");
  // On a slow machine a fleet may be right as it is for long: what it holds, and why, are decisions as well.
  await visit.page.getByLabel("also when nothing changed").click();
  await visit.see("tbody a");
  await visit.see("figure svg");
  await isSound("decisions");
  await visit.page.locator("tbody a").first().click();
  await visit.see("text=How it came about");
  await isSound("decision");
});

test("Forecast: what is coming, and how good earlier ones were", async () => {
  await goTo("Forecast");
  await seeFigures(["peak of 15 minutes, median", "its 0.95 quantile", "error, 24 h"]);
  await visit.see("figure svg");
  await isSound("forecast");
});

test("Cost: who pays what", async () => {
  await goTo("Cost");
  await seeFigures(["cost", "per million requests", "idle"]);
  // The demo's first days are not yet a month's record.
  await visit.see(
    ".figure:has-text('this month, projected') >> text=/nothing on record|with 80 %|nearly all of it is spent/",
  );
  for (const tenant of ["shop", "search"]) await visit.see(`tbody >> text=${tenant}`);
  await isSound("cost");
});

test("Policy: that none is configured is said without an error", async () => {
  await goTo("Policy");
  await visit.see("text=no scaling.policyFile is configured");
  await isSound("policy");
});

test("Routes: who answered, by which rule, at what price", async () => {
  await goTo("Routes");
  await seeFigures(["answered", "price of a million", "on an even mix", "agents that chose"]);
  await visit.see("tbody tr:has-text('thor-1')");
  await isSound("routes");
});

test("the agent's own page", async () => {
  const own = await openPage(browser, agentUrl);
  await own.page.getByRole("img", { name: /^Traffic and forecast: last minute/ }).waitFor();
  expect(await own.page.getByRole("heading", { level: 1 }).textContent()).toBe("thor-1");
  await own.page.getByRole("button", { name: "make vectors" }).click();
  await own.page.getByText("384 numbers", { exact: false }).first().waitFor();
  await isSound("own-page", own);
  await own.close();
});

test("an override goes from its effect to what the agent itself reports", async () => {
  const { page } = visit;
  await goTo("Agents");
  await page.locator("tbody").getByRole("link", { name: "classic-1" }).click();
  await visit.see("h1:has-text('classic-1')");
  await page.getByRole("button", { name: "Override…" }).click();
  await page.selectOption("select[name=role]", "standby");
  // The demo's clock runs sixty times as fast.
  await page.fill("input[name=minutes]", "40000");
  await page.getByRole("button", { name: "Show the effect" }).click();
  await visit.see("[data-effect]");
  await page.fill("input[name=reason]", "seen on the demo's page");
  await page.getByRole("button", { name: "Switch off 1 agent" }).click();
  await visit.see("text=reported by 1 of 1");
  await isSound("override");
  const { agents } = await get<{ agents: { agentId: string; role: object }[] }>("/api/v1/agents");
  const role = agents.find(({ agentId }) => agentId === "classic-1")?.role;
  expect(role).toEqual({ desired: "standby", reported: "standby" });
  const { entries } = await get<{ entries: { entry: object }[] }>("/api/v1/audit?limit=1");
  expect(entries[0]?.entry).toMatchObject({ action: "overrides.set", target: "classic-1", phase: "done" });
  await page.getByRole("button", { name: "Close" }).click();
  await visit.see("button:has-text('End the override…')");
});
