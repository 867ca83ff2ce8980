import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { expectNoAxeFindings, looks, openPage, startBrowser, type Visit } from "./browser.ts";
import { press, pressButton, tabTo, type } from "./keyboard.ts";
import { type SimulatedFleet, startSimulatedFleet } from "./simulated-fleet.ts";

const configured = "a-configured-key";
const directory = mkdtempSync(join(tmpdir(), "thormesh-policy-page-"));
const policyFile = join(directory, "policy.yaml");
const first = "# by hand\nname: factory\nminReplicas: 2\nmaxReplicas: 6\n";
let browser: Browser;
let fleet: SimulatedFleet;
let operatorKey = "";

const ask = async (path: string, init: RequestInit = {}) => {
  const answer = await fetch(fleet.url + path, {
    ...init,
    headers: { authorization: `Bearer ${configured}`, "content-type": "application/json" },
  });
  // biome-ignore lint/suspicious/noExplicitAny: answers of several routes
  return (await answer.json()) as any;
};

beforeAll(async () => {
  writeFileSync(policyFile, first, { mode: 0o600 });
  const config = { api: { apiKeys: [configured] }, scaling: { policyFile } };
  [browser, fleet] = await Promise.all([startBrowser(), startSimulatedFleet({ config })]);
  const body = JSON.stringify({ name: "the operator", role: "operator" });
  operatorKey = (await ask("/api/v1/keys", { method: "POST", body })).secret;
});
afterAll(async () => {
  await browser?.close();
  await fleet?.close();
  rmSync(directory, { recursive: true, force: true });
});

async function openPolicy(secret: string, look = {}): Promise<Visit> {
  const visit = await openPage(browser, `${fleet.url}/policy`, look);
  await visit.see("input[name=key]");
  await type(visit.page, secret);
  await press(visit.page, "Enter");
  await visit.see("h1:has-text('Policy factory')");
  return visit;
}

/** Replaces the text in the editor by keyboard. */
async function write({ page }: Visit, text: string): Promise<void> {
  await tabTo(page, "textarea[name=policy]");
  await press(page, "Control+A");
  await page.keyboard.insertText(text);
}

test("a policy is tried and put in force by keyboard, and mistakes name their fields", async () => {
  const visit = await openPolicy(configured);
  const { page } = visit;
  expect(await page.inputValue("textarea[name=policy]")).toBe(first);

  await write(visit, "name: factory\nminReplicas: 9\nmaxReplicas: 3\ncolour: red\n");
  await pressButton(page, "Preview");
  await visit.see("text=2 things are wrong");
  await visit.see("li:has-text('colour')");
  await visit.see("li:has-text('minReplicas')");
  await expectNoAxeFindings(page);
  visit.problems.splice(0); // the browser itself tells each answer of 400

  const next = "# changed on the page\nname: factory\nminReplicas: 3\nmaxReplicas: 6\n";
  await write(visit, next);
  await pressButton(page, "Preview");
  await visit.see("[data-preview]");
  await visit.see("td:has-text('minReplicas')");
  expect(readFileSync(policyFile, "utf8")).toBe(first);
  await pressButton(page, "Put in force…");
  await visit.see("text=1 field differs");
  await expectNoAxeFindings(page);
  await tabTo(page, "input[name=reason]");
  await type(page, "night shift");
  await pressButton(page, "Put it in force");
  await page.waitForSelector("dialog", { state: "detached" });
  expect(readFileSync(policyFile, "utf8")).toBe(next);
  await page.waitForSelector("text=changed here, not in force", { state: "detached" });
  const { entries } = await ask("/api/v1/audit?limit=1");
  expect(entries[0].entry).toMatchObject({
    ...{ action: "policy.set", phase: "done", reason: "night shift", actor: "a configured key" },
    ...{ before: { minReplicas: 2 }, after: { minReplicas: 3 } },
  });
  visit.expectNoProblems();
  await visit.close();
});

test("a change by others meanwhile is told, and not overwritten", async () => {
  const visit = await openPolicy(configured);
  await write(visit, "name: factory\nminReplicas: 4\n");
  const text = "name: factory\nminReplicas: 2\nmaxReplicas: 6\n";
  await ask("/api/v1/policy", { method: "POST", body: JSON.stringify({ text }) });
  await visit.see("text=The policy was changed meanwhile");
  await pressButton(visit.page, "Put in force…");
  await pressButton(visit.page, "Put it in force");
  await visit.see("dialog >> text=has changed since");
  expect(readFileSync(policyFile, "utf8")).toBe(text);
  await visit.close();
});

test("an operator runs a backtest from the page, and sees its result as chart and table", async () => {
  const visit = await openPolicy(operatorKey);
  const { page } = visit;
  expect(await page.locator("button", { hasText: "Put in force" }).count()).toBe(0);
  await write(visit, "name: mine\nminReplicas: 1\nmaxReplicas: 6\n");
  await tabTo(page, "select[name=hours]");
  await press(page, "Home");
  await pressButton(page, "Start the backtest");
  await visit.see("td:has-text('mine, as given')");
  await visit.see("td:has-text('factory, in force')");
  await visit.see("figure:has-text('Demand and capacity') svg");
  await expectNoAxeFindings(page);
  const { backtests } = await ask("/api/v1/backtests");
  expect(backtests[0]).toMatchObject({ state: "done", by: expect.stringContaining("(the operator)") });
  visit.expectNoProblems();
  await visit.close();
});

test("is accessible and whole in every look, with a preview and a result", async () => {
  for (const look of looks) {
    const visit = await openPolicy(configured, look);
    await visit.see("figure:has-text('Demand and capacity') svg");
    await visit.page.click("button:text-is('Preview')");
    await visit.see("[data-preview]");
    await visit.see("figure:has-text('coming day') svg");
    await visit.screenshot(`policy-${look.width}-${look.dark ? "dark" : "light"}`);
    await expectNoAxeFindings(visit.page);
    const overflow = await visit.page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    expect({ look, overflow }).toEqual({ look, overflow: 0 });
    visit.expectNoProblems();
    await visit.close();
  }
});
