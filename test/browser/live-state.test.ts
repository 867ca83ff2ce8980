import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { expectGoodInAllLooks, openPage, startBrowser } from "./browser.ts";
import { startScriptedStream } from "./scripted-stream.ts";
import { type SimulatedFleet, startSimulatedFleet } from "./simulated-fleet.ts";

let browser: Browser;
let fleet: SimulatedFleet;
let view: Record<string, unknown> & { figures: Record<string, object>; controller: object };

beforeAll(async () => {
  [browser, fleet] = await Promise.all([startBrowser(), startSimulatedFleet({ agents: [], historyMinutes: 0 })]);
  view = (await (await fetch(`${fleet.url}/api/v1/fleet`)).json()) as typeof view;
});
afterAll(async () => {
  await browser?.close();
  await fleet?.close();
});

const snapshot = { nowMs: Date.now(), run: "00000000", fields: [], conditions: ["serving", "standby"], agents: 0 };
const changeOf = (changed: object) => {
  const { figures, nowMs, ...rest } = view;
  return { nowMs, figures, view: { ...rest, ...changed } };
};

test("a fleet without agents says what to do, and knows nothing instead of 0", async () => {
  await expectGoodInAllLooks(browser, fleet.url, "text=No agent yet", "empty");
  const visit = await openPage(browser, fleet.url);
  await visit.see(`text=thormesh agent join ${new URL(fleet.url).origin} TOKEN --start`);
  const power = visit.page.locator(".figure", { hasText: "power" }).locator(".value");
  expect(await power.textContent()).toBe("–not known");
  await visit.close();
});

test("a controller that stands by says so, and links to the leading one only by an address of the web", async () => {
  for (const [leader, links] of [
    ["https://leader.example:7070", 1],
    ["javascript:alert(1)", 0],
  ] as const) {
    const stream = startScriptedStream(fleet.url, [
      ["snapshot", snapshot],
      ["change", changeOf({ controller: { ...view.controller, role: "standing by", leader } })],
    ]);
    const visit = await openPage(browser, stream.url);
    await visit.see("text=This controller stands by and only reads.");
    expect(await visit.page.locator(".note a").count()).toBe(links);
    visit.expectNoProblems();
    await visit.close();
    await stream.close();
  }
});

test("stale figures are greyed and dated, a lost broker and firing alerts are told", async () => {
  const asOfMs = Date.now() - 3_600_000;
  const stale = { value: 123, unit: "W", asOfMs, stale: true, note: null };
  const alert = { key: "k", rule: "agent-offline", severity: "critical", status: "firing", silenced: false };
  const stream = startScriptedStream(fleet.url, [
    ["snapshot", snapshot],
    [
      "change",
      {
        ...changeOf({
          controller: { ...view.controller, brokerConnected: false },
          alerts: [{ ...alert, summary: "<b>a board</b> is away", text: "It was heard last at 4.", sinceMs: asOfMs }],
        }),
        figures: { ...view.figures, watts: stale, alertsFiring: { ...stale, value: 1, unit: "alerts", stale: false } },
      },
    ],
  ]);
  await expectGoodInAllLooks(browser, stream.url, ".figure.stale:has-text('power') .as-of", "alerting");
  const visit = await openPage(browser, stream.url);
  await visit.see("text=no connection to its broker");
  await visit.see("b:has-text('<b>a board</b> is away')");
  await visit.see(".status-bad:has-text('1 firing')");
  await visit.close();
  await stream.close();
});

test("a thousand updates leave no memory behind", async () => {
  const row = (id: number, value: number) => [`thor-${id}`, 0, value, 350, 9, 40, 50, 1_780_000_000, 0];
  const rows = Array.from({ length: 500 }, (_, id) => row(id, 0));
  const total = { value: rows.length, unit: "agents", asOfMs: view["nowMs"], stale: false, note: null };
  const stream = startScriptedStream(fleet.url, [
    ["snapshot", snapshot],
    ["change", { ...changeOf({}), rows, figures: { ...view.figures, serving: total } }],
  ]);
  const visit = await openPage(browser, stream.url);
  const { page } = visit;
  await visit.see(".figure:has-text('serving') .value:has-text('500')");
  const developer = await page.context().newCDPSession(page);
  const heapBytes = async () => {
    await developer.send("HeapProfiler.collectGarbage");
    return (await developer.send("Runtime.getHeapUsage")).usedSize;
  };
  let sent = 0;
  const update = async (count: number) => {
    for (let each = 0; each < count; each += 1) {
      sent += 1;
      const textsPerS = { value: sent, unit: "texts/s", asOfMs: view["nowMs"], stale: false, note: null };
      stream.send(
        "change",
        { nowMs: view["nowMs"], rows: [row(sent % 500, sent)], figures: { textsPerS } },
        `00000000-${sent}`,
      );
      if (sent % 25 === 0)
        await visit.until(`document.body.textContent.includes(${JSON.stringify(sent.toLocaleString("en"))})`);
    }
    return heapBytes();
  };
  const before = await update(200);
  const after = await update(1_000);
  // Compiled code and caches come and go; a row or an element kept by each update would be far more.
  expect(after - before).toBeLessThan(1_000_000);
  visit.expectNoProblems();
  await visit.close();
  await stream.close();
});
