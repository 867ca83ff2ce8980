import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { Agent } from "#agent/agent.ts";
import { parseAgentConfig } from "#agent/check-config.ts";
import { testEveryRoute } from "../agent/serving/every-route.ts";
import type { TestServing } from "../agent/serving/start-serving.ts";
import { eventually } from "../e2e/program.ts";
import { freePort } from "../fakes/free-port.ts";
import { expectGoodInAllLooks, expectNoAxeFindings, openPage, startBrowser } from "./browser.ts";

const key = "a-configured-key";
let browser: Browser;
let stateDir: string;
let agent: Agent;
let url: string;
/** An agent that needs a key. */
let closed: TestServing;

beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), "thormesh-own-page-"));
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const settings = {
    ...{ id: "thor-own", stateDir, logLevel: "silent", broker: { url: "mqtt://127.0.0.1:9" } },
    // A minute takes a second, so that the chart has some.
    clock: { speed: 60, anchorRealMs: Date.now(), startMs: Date.now() },
    serving: { port, threads: 1, maxBodyBytes: 50_000, grpc: { port: null } },
    power: { board: "simulated" },
  };
  agent = new Agent(parseAgentConfig(settings, "the test"));
  closed = testEveryRoute({ threads: 1, apiKeys: [key] });
  [browser] = await Promise.all([startBrowser(), agent.start(), closed.serving.start()]);
  await eventually(
    async () => (await (await fetch(`${url}/api/v1/minutes`)).json()) as { minutes: { watts: number | null }[] },
    ({ minutes }) => minutes.filter(({ watts }) => watts !== null).length >= 3,
  );
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([agent?.stop(), closed?.serving.stop()]);
  rmSync(stateDir, { recursive: true, force: true });
});

describe("the agent's own page", () => {
  test("says what it does and why, and shows its last minutes", async () => {
    const visit = await openPage(browser, url);
    const { page } = visit;
    await page.getByRole("img", { name: /^Traffic and forecast: last minute/ }).waitFor();
    expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("thor-own");
    const why = (await page.getByRole("region", { name: "Why, and connections" }).textContent()) ?? "";
    expect(why).toContain("no instructions from a controller yet");
    expect(why).toContain("not connected");
    expect(await page.getByRole("region", { name: "Models" }).textContent()).toContain("384 numbers");
    expect(await page.getByRole("img", { name: /^Role and power mode: now active/ }).count()).toBe(1);
    await visit.close();
  });

  test("tries a text, and compares two", async () => {
    const visit = await openPage(browser, url);
    const { page } = visit;
    const outcome = page.getByRole("region", { name: "Try a text" }).getByRole("status");
    await page.getByRole("button", { name: "make vectors" }).click();
    await outcome.getByText("384 numbers").waitFor();
    expect(await outcome.textContent()).not.toContain("similarity");
    await page.getByLabel("text", { exact: true }).fill("The gripper lost the part.");
    const similarity = async (other: string, before: string) => {
      await page.getByLabel("another, to compare").fill(other);
      await page.getByRole("button", { name: "make vectors" }).click();
      const shown = outcome.locator("b").filter({ hasNotText: before });
      await shown.waitFor();
      return (await shown.textContent()) ?? "";
    };
    const same = await similarity("The gripper lost the part.", "nothing yet");
    expect(same).toBe("1.000");
    const alike = await similarity("The robot's hand dropped the piece.", same);
    const different = await similarity("Interest rates rose in the third quarter.", alike);
    expect(Number(alike)).toBeGreaterThan(Number(different) + 0.2);
    await page.getByLabel("text", { exact: true }).fill("x".repeat(60_000));
    await page.getByRole("button", { name: "make vectors" }).click();
    await outcome.getByText(/■ .*413/).waitFor();
    await visit.close();
  });

  test("is accessible and whole, narrow and wide, light and dark", async () => {
    await expectGoodInAllLooks(browser, url, '[role="img"][aria-label^="Traffic"]', "own-page");
  });
});

test("where keys are needed the page asks for one, and says when it is wrong", async () => {
  const visit = await openPage(browser, closed.serving.url, { width: 360, dark: true });
  const { page } = visit;
  await page.getByRole("heading", { name: "This agent answers only with an API key" }).waitFor();
  // Nothing is asked that would be refused: a browser writes each refusal into its console.
  visit.expectNoProblems();
  expect(await page.getByText("thor-1").count()).toBe(0);
  await expectNoAxeFindings(page);
  await visit.screenshot("own-page-key");
  await page.getByLabel("key", { exact: true }).fill("not-the-key");
  await page.getByRole("button", { name: "use it" }).click();
  await page.getByText("does not know this key").waitFor();
  await page.getByLabel("key", { exact: true }).fill(key);
  await page.getByRole("button", { name: "use it" }).click();
  await page.getByRole("heading", { name: "thor-1", level: 1 }).waitFor();
  expect(
    await page.evaluate("JSON.stringify([location.href, { ...localStorage }, { ...sessionStorage }])"),
  ).not.toContain(key);
  await page.getByRole("button", { name: "make vectors" }).click();
  await page.getByText("384 numbers [", { exact: false }).waitFor();
  await visit.close();
});
