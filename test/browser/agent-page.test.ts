import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { minuteMs } from "#platform/time.ts";
import type { MinuteMesh } from "#protocol/messages.ts";
import { aBirth, aMinute, aPresence, aReported } from "../fakes/builders.ts";
import { steering } from "../fakes/hostile-text.ts";
import { expectGoodInAllLooks, expectNoAxeFindings, openPage, startBrowser } from "./browser.ts";
import { type SimulatedAgent, type SimulatedFleet, sixAgents, startSimulatedFleet } from "./simulated-fleet.ts";

/** Text that would run a script, steer a terminal, turn the writing round, or push all else aside. */
const hostile = (length: number) =>
  `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>\u001b[31m\u202eevil${"W".repeat(length)}`.slice(
    0,
    length,
  );

const mesh = (backend: string, given: Partial<MinuteMesh> = {}): MinuteMesh => ({
  routes: [
    { backend: "home", kind: "home", rule: "home", requests: 300, usd: 0.0003, evenUsd: 0.0009 },
    { backend, kind: "peer", rule: "less-loaded", requests: 100, usd: 0.0001, evenUsd: 0.0003 },
    { backend: "offer:cloud", kind: "spot", rule: "all-busy", requests: 20, usd: 0.0002, evenUsd: 0.0001 },
  ],
  ...{ retries: 2, hedges: 1, hops: [{ backend, ms: 1.4 }], ejected: [] },
  ...given,
});

const outbox = { records: 3, dropped: 1 };
const [a, b, ...others] = sixAgents as [SimulatedAgent, SimulatedAgent, ...SimulatedAgent[]];
const evil: SimulatedAgent = {
  id: `evil-${"x".repeat(59)}`,
  presence: { region: hostile(64), version: hostile(64), models: [hostile(128)] },
  birth: {
    ...{
      region: hostile(64),
      version: hostile(64),
      tags: { [`<b>${"t".repeat(61)}`]: hostile(256), "\u202etag": "<i>" },
    },
    board: { ...aBirth().board, name: hostile(128), faults: [{ fault: "<u>", reason: hostile(512) }] },
    models: [{ id: hostile(128), dimension: 384, revision: hostile(128) }],
  },
  minute: {
    outbox,
    mesh: mesh("thor-b", {
      routes: [{ backend: hostile(128), kind: hostile(32), rule: hostile(32), requests: 1, usd: 0, evenUsd: 0 }],
    }),
  },
};

let browser: Browser;
let fleet: SimulatedFleet;
beforeAll(async () => {
  const agents = [
    { ...a, minute: { outbox, mesh: mesh("thor-b") } },
    { ...b, minute: { mesh: mesh("thor-a", { ejected: [{ backend: "thor-c", model: "mini" }] }) } },
    ...others,
    evil,
  ];
  [browser, fleet] = await Promise.all([startBrowser(), startSimulatedFleet({ agents })]);
  const sentAtMs = Date.now();
  await fleet.send("gone", "presence", aPresence({ agentId: "gone", sentAtMs }));
  await fleet.send("gone", "birth", aBirth({ agentId: "gone", sentAtMs }));
  const minuteStartMs = Math.floor(sentAtMs / minuteMs) * minuteMs - minuteMs;
  await fleet.send("gone", "data", aMinute({ agentId: "gone", minuteStartMs, requests: 1200 }));
  await fleet.send(
    "gone",
    "presence",
    aPresence({ agentId: "gone", sentAtMs: sentAtMs + 1, status: "offline", url: "" }),
  );
  await fleet.send(
    evil.id,
    "reported",
    aReported({
      ...{ agentId: evil.id, sentAtMs: sentAtMs + 1 },
      brokerRefuses: [{ action: "publish", topic: "<b>", reason: hostile(512) }],
      differs: [{ field: "role", desired: hostile(64), reported: hostile(64), reason: hostile(512) }],
    }),
  );
});
afterAll(async () => {
  await browser?.close();
  await fleet?.close();
});

describe("the page of an agent", () => {
  test("shows figures, hours, what is desired, decisions and the device", async () => {
    const visit = await openPage(browser, `${fleet.url}/agents/thor-a`);
    const { page } = visit;
    await page.getByRole("img", { name: /^Traffic: highest/ }).waitFor();
    expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("thor-a");
    expect(await page.locator(".figure", { hasText: "power mode" }).locator(".value").textContent()).toBe("MAXN");
    expect(await page.locator(".figure", { hasText: "outbox" }).locator(".value").textContent()).toBe("3");
    expect(await page.getByRole("img", { name: /^Role and power mode: now MAXN/ }).count()).toBe(1);
    const desired = page.getByRole("region", { name: "Desired and reported" });
    expect(await desired.first().textContent()).toContain("as desired");
    expect(await page.getByRole("region", { name: "Device" }).textContent()).toContain("rack");
    await expectNoAxeFindings(page);
    await visit.screenshot("agent-1280-light");
    visit.expectNoProblems();
    await visit.close();
  });

  test("keeps the hours in its address, and shows a chart as a table", async () => {
    const visit = await openPage(browser, `${fleet.url}/agents/thor-a?hours=24`);
    const { page } = visit;
    await page.getByRole("button", { name: "24 h", pressed: true }).waitFor();
    await page.getByRole("button", { name: "1 h", exact: true }).click();
    await page.waitForURL(/hours=1$/);
    await page.getByRole("img", { name: /^Power:/ }).waitFor();
    await page.locator("figure", { hasText: "Power" }).last().getByRole("button").click();
    await page.getByRole("region", { name: "Power, as a table" }).waitFor();
    visit.expectNoProblems();
    await visit.close();
  });

  test("dates what it shows of one that is offline", async () => {
    const visit = await openPage(browser, `${fleet.url}/agents/gone`);
    await visit.page.getByText("Offline:").waitFor();
    expect(await visit.page.locator(".figure.stale").count()).toBeGreaterThan(5);
    expect(await visit.page.locator(".figure", { hasText: "rate" }).locator(".as-of").textContent()).toContain("as of");
    visit.expectNoProblems();
    await visit.close();
  });

  test("says that there is no such agent, and where to go", async () => {
    const visit = await openPage(browser, `${fleet.url}/agents/nobody`);
    await visit.page.getByText("There is no such agent").waitFor();
    await visit.close();
  });

  test("shows hostile texts as texts", async () => {
    const visit = await openPage(browser, `${fleet.url}/agents/${evil.id}`);
    const { page } = visit;
    await page.getByRole("img", { name: /^Traffic:/ }).waitFor();
    const text = (await page.locator("body").textContent()) ?? "";
    expect(text).toContain("<img src=x");
    expect(text).not.toMatch(steering);
    expect(await page.locator("main img, main script").count()).toBe(0);
    expect(await page.title()).not.toContain("owned");
    visit.expectNoProblems();
    await visit.close();
  });

  test("is accessible and whole, narrow and wide, light and dark, with texts as long as they may be", async () => {
    const ready = '[role="img"][aria-label^="Traffic"]';
    await expectGoodInAllLooks(browser, `${fleet.url}/agents/${evil.id}`, ready, "agent-hostile");
  });
});

describe("the page of routes", () => {
  test("shows who answered, why, at what price, and who is left out", async () => {
    const visit = await openPage(browser, `${fleet.url}/routes`);
    const { page } = visit;
    const row = page.getByRole("row", { name: /^thor-b/ });
    await row.waitFor();
    expect(await row.textContent()).toContain("of those that cost the same, it has less in flight for its capacity");
    expect(await row.textContent()).toContain("1.4 ms");
    expect(await page.getByRole("row", { name: /^thor-c/ }).textContent()).toContain("left out by thor-b");
    expect(await page.locator(".figure", { hasText: "price of a million" }).textContent()).toContain("less");
    await page.getByRole("button", { name: "requests" }).click();
    await page.waitForURL(/sort=requests/);
    await page.getByRole("link", { name: "thor-b" }).click();
    await page.waitForURL(/\/agents\/thor-b$/);
    await page.getByRole("link", { name: "its routes" }).click();
    await page.getByText("requests that thor-b took in").waitFor();
    visit.expectNoProblems();
    await visit.close();
  });

  test("is accessible and whole, narrow and wide, light and dark", async () => {
    await expectGoodInAllLooks(browser, `${fleet.url}/routes`, "text=left out by", "routes");
  });
});
