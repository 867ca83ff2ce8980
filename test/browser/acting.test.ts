import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { eventually } from "../e2e/program.ts";
import { startProvider } from "../fakes/start-oidc-provider.ts";
import { expectGoodInAllLooks, expectNoAxeFindings, looks, openPage, startBrowser, type Visit } from "./browser.ts";
import { press, pressButton, tabTo, type } from "./keyboard.ts";
import { type SimulatedFleet, startSimulatedFleet } from "./simulated-fleet.ts";

const configured = "a-configured-key";
let browser: Browser;
let fleet: SimulatedFleet;
let provider: Awaited<ReturnType<typeof startProvider>>;
const keys: Record<string, { readonly id: string; readonly secret: string }> = {};

const ask = async (path: string, init: RequestInit = {}) => {
  const answer = await fetch(fleet.url + path, {
    ...init,
    headers: { authorization: `Bearer ${configured}`, "content-type": "application/json" },
  });
  // biome-ignore lint/suspicious/noExplicitAny: answers of several routes
  return (await answer.json()) as any;
};

async function issue(name: string, role: string) {
  const { key, secret } = await ask("/api/v1/keys", { method: "POST", body: JSON.stringify({ name, role }) });
  return { id: key.id as string, secret: secret as string };
}

beforeAll(async () => {
  provider = await startProvider();
  const roles = { viewer: ["staff"], operator: ["night"], admin: ["root"] };
  const oidc = { issuer: provider.issuer, audience: "thormesh", rolesClaim: "groups", roles };
  [browser, fleet] = await Promise.all([
    startBrowser(),
    startSimulatedFleet({ config: { api: { apiKeys: [configured], oidc } } }),
  ]);
  for (const role of ["viewer", "operator"]) keys[role] = await issue(`the ${role}`, role);
});
afterAll(async () => {
  await browser?.close();
  await fleet?.close();
  provider?.server.close();
});

const secretOf = (role: string) => (keys[role] as { secret: string }).secret;

async function logIn(visit: Visit, secret: string): Promise<void> {
  await visit.see("input[name=key]");
  await type(visit.page, secret);
  await press(visit.page, "Enter");
  await visit.see("text=thor-f");
}

describe("login", () => {
  test("is all that is shown without a key, in every look, without an error", async () => {
    await expectGoodInAllLooks(browser, `${fleet.url}/agents/thor-a`, "input[name=key]", "login");
  });

  test("says what is wrong with a wrong key, and goes where one wanted to with a right one", async () => {
    const visit = await openPage(browser, `${fleet.url}/agents/thor-a`);
    await visit.see("input[name=key]");
    await type(visit.page, "tm_v_wrong");
    await press(visit.page, "Enter");
    await visit.see("text=key: an unknown or expired one");
    visit.problems.splice(0); // the browser itself tells each answer of 401
    await type(visit.page, secretOf("viewer"));
    await press(visit.page, "Enter");
    await visit.see("h1:has-text('thor-a')");
    expect(new URL(visit.page.url()).pathname).toBe("/agents/thor-a");
    expect(await visit.page.evaluate("document.cookie + JSON.stringify(localStorage) + location.href")).not.toContain(
      secretOf("viewer"),
    );
    visit.expectNoProblems();
    await visit.close();
  });

  test("logging out leads back to it, and the session is of no use any more", async () => {
    const visit = await openPage(browser, fleet.url);
    await logIn(visit, secretOf("viewer"));
    const cookies = await visit.page.context().cookies();
    await pressButton(visit.page, "log out");
    await visit.see("input[name=key]");
    const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
    expect((await fetch(`${fleet.url}/api/v1/fleet`, { headers: { cookie } })).status).toBe(401);
    visit.expectNoProblems();
    await visit.close();
  });

  test.each([
    ["staff", "viewer", 0],
    ["night", "operator", 3],
  ])("a token of the identity provider with the group %s makes a session as %s", async (group, role, buttons) => {
    const visit = await openPage(browser, fleet.url);
    await visit.see("label:has-text('API key, or token of your identity provider')");
    await logIn(visit, await provider.tokenFor([group]));
    await visit.see(`.user:has-text('${role}')`);
    expect(await visit.page.locator("button", { hasText: "…" }).count()).toBe(buttons);
    visit.expectNoProblems();
    await visit.close();
  });

  test("a token for another service is refused with the reason", async () => {
    const visit = await openPage(browser, fleet.url);
    await visit.see("input[name=key]");
    await visit.page.fill("input[name=key]", await provider.tokenFor(["root"], "https://another.example"));
    await press(visit.page, "Enter");
    await visit.see("p[role=alert]:has-text('key: ')");
    expect(await visit.page.textContent("p[role=alert]")).toContain("aud");
    await visit.close();
  });
});

test("a viewer sees the fleet and no button that changes it", async () => {
  const visit = await openPage(browser, fleet.url);
  await logIn(visit, secretOf("viewer"));
  expect(await visit.page.locator("button", { hasText: "…" }).count()).toBe(0);
  await visit.page.goto(`${fleet.url}/agents/thor-a`);
  await visit.see("h1:has-text('thor-a')");
  expect(await visit.page.locator("button", { hasText: "…" }).count()).toBe(0);
  visit.expectNoProblems();
  await visit.close();
});

test("an override is given by keyboard, from its effect to what the agent reports", async () => {
  const visit = await openPage(browser, `${fleet.url}/agents/thor-a`);
  const { page } = visit;
  await visit.see("input[name=key]");
  await type(page, secretOf("operator"));
  await press(page, "Enter");
  await visit.see("h1:has-text('thor-a')");
  await pressButton(page, "Override…");
  await tabTo(page, "select[name=role]");
  await type(page, "off");
  await tabTo(page, "input[name=minutes]");
  await press(page, "Control+A");
  await type(page, "90");
  await press(page, "Enter");
  await visit.see("text=/Drains 1 of \\d agents that serve until .* leaves \\d whose capacity is/");
  expect((await ask("/api/v1/overrides")).total).toBe(0);
  await expectNoAxeFindings(page);
  await visit.screenshot("override-effect");
  await tabTo(page, "input[name=reason]");
  await type(page, "new fan, 5 % spare");
  await pressButton(page, "Switch off 1 agent");
  await visit.see("text=reported by 1 of 1");
  await visit.screenshot("override-reported");
  await pressButton(page, "Close");
  await visit.see("button:has-text('End the override…')");
  const { entries } = await ask("/api/v1/audit?limit=1");
  expect(entries[0].entry).toMatchObject({
    ...{ action: "overrides.set", target: "thor-a", phase: "done", reason: "new fan, 5 % spare" },
    actor: `key ${keys["operator"]?.id} (the operator)`,
  });
  await pressButton(page, "End the override…");
  await visit.see("text=/1 agent keeps its role until the controller's next decision/");
  await pressButton(page, "End the override");
  await visit.see("text=Done, and recorded");
  await visit.see("text=reported by 1 of 1");
  expect((await ask("/api/v1/overrides")).total).toBe(0);
  await pressButton(page, "Close");
  visit.expectNoProblems();
  await visit.close();
});

test("agents are drained, the fleet is frozen and thawed, by keyboard from the fleet's page", async () => {
  const visit = await openPage(browser, fleet.url);
  const { page } = visit;
  await logIn(visit, secretOf("operator"));
  await pressButton(page, "Drain…");
  await tabTo(page, "textarea[name=agents]");
  await type(page, "thor-b, nobody");
  await pressButton(page, "Show the effect");
  await visit.see("text=no agent nobody has been heard of");
  visit.problems.splice(0);
  await tabTo(page, "textarea[name=agents]");
  await press(page, "Control+A");
  await type(page, "thor-b thor-c");
  await pressButton(page, "Show the effect");
  await visit.see("text=/Drains \\d of \\d agents that serve/");
  await pressButton(page, "Drain 2 agents");
  await visit.see("text=reported by 2 of 2");
  await press(page, "Escape");
  await ask("/api/v1/overrides/end", { method: "POST", body: JSON.stringify({ agents: ["thor-b", "thor-c"] }) });

  await pressButton(page, "Freeze…");
  await tabTo(page, "input[name=why]");
  await type(page, "stocktaking");
  await pressButton(page, "Show the effect");
  await visit.see("text=Nothing is switched on or off until");
  await pressButton(page, "Freeze the fleet");
  await visit.see("text=Done, and recorded");
  await press(page, "Escape");
  await visit.see("text=/Frozen by an operator until .*: stocktaking/");
  await pressButton(page, "End the freeze…");
  await visit.see("text=The controller may change roles and power modes again");
  await pressButton(page, "End the freeze");
  await visit.see("text=Done, and recorded");
  await press(page, "Escape");
  await visit.see("button:has-text('Freeze…')");
  visit.expectNoProblems();
  await visit.close();
});

test("the agents that the filter shows can be named at once", async () => {
  const visit = await openPage(browser, `${fleet.url}/?q=region:hall-2`);
  await visit.see("input[name=key]");
  await type(visit.page, secretOf("operator"));
  await press(visit.page, "Enter");
  await pressButton(visit.page, "Drain…");
  await pressButton(visit.page, "Take those of the filter");
  await visit.see("text=all 3");
  expect(await visit.page.inputValue("textarea[name=agents]")).toBe("thor-b thor-d thor-f");
  await pressButton(visit.page, "Show the effect");
  await visit.see("[data-effect]");
  await visit.see("button:has-text('Drain 3 agents')");
  await press(visit.page, "Escape");
  visit.expectNoProblems();
  await visit.close();
});

test("dialogs are accessible and whole in every look", async () => {
  for (const look of looks) {
    const visit = await openPage(browser, fleet.url, look);
    await logIn(visit, secretOf("operator"));
    // All that the page draws is behind the dialog.
    await visit.see("figure svg");
    await pressButton(visit.page, "Override…");
    await visit.see("select[name=role]");
    await expectNoAxeFindings(visit.page);
    await tabTo(visit.page, "textarea[name=agents]");
    await type(visit.page, "thor-a");
    await visit.page.selectOption("select[name=role]", "draining");
    await pressButton(visit.page, "Show the effect");
    await visit.see("[data-effect]");
    await expectNoAxeFindings(visit.page);
    await visit.screenshot(`effect-${look.width}-${look.dark ? "dark" : "light"}`);
    visit.expectNoProblems();
    await visit.close();
  }
});

test("a session that ends in mid-action is told, and nothing that was typed is lost", async () => {
  const { id, secret } = await issue("for a moment", "operator");
  const visit = await openPage(browser, fleet.url);
  const { page } = visit;
  await logIn(visit, secret);
  await pressButton(page, "Freeze…");
  await tabTo(page, "input[name=why]");
  await type(page, "typed before the end");
  await ask(`/api/v1/keys/${id}`, { method: "DELETE" });
  await visit.see("text=Your session has ended");
  await visit.screenshot("session-ended");
  await expectNoAxeFindings(page);
  visit.problems.splice(0); // the browser itself tells each answer of 401
  await type(page, secretOf("operator"));
  await press(page, "Enter");
  await page.waitForSelector("text=Your session has ended", { state: "detached" });
  expect(await page.inputValue("input[name=why]")).toBe("typed before the end");
  await tabTo(page, "input[name=why]");
  await pressButton(page, "Show the effect");
  await visit.see("text=Nothing is switched on or off until");
  await press(page, "Escape");
  visit.expectNoProblems();
  await visit.close();
});

test("without keys there is no login, and everything can be done", async () => {
  const free = await startSimulatedFleet();
  const visit = await openPage(browser, free.url);
  await visit.see("button:has-text('Freeze…')");
  expect(await visit.page.locator("text=log out").count()).toBe(0);
  await pressButton(visit.page, "Freeze…");
  await tabTo(visit.page, "input[name=why]");
  await type(visit.page, "alone");
  await pressButton(visit.page, "Show the effect");
  await pressButton(visit.page, "Freeze the fleet");
  await eventually(
    async () => (await (await fetch(`${free.url}/api/v1/freeze`)).json()) as { freeze: { reason: string } | null },
    ({ freeze }) => freeze?.reason === "alone",
  );
  visit.expectNoProblems();
  await visit.close();
  await free.close();
});

test("over TLS with a certificate of the fleet one logs in, follows the fleet and acts, with a cookie that never travels openly", async () => {
  const encrypted = await startSimulatedFleet({
    historyMinutes: 0,
    config: { api: { apiKeys: [configured], tls: { fleet: true } } },
  });
  expect(encrypted.url).toStartWith("https://");
  const visit = await openPage(browser, encrypted.url);
  const { page } = visit;
  await logIn(visit, configured);
  await visit.see(".connection.live");
  const [cookie] = await page.context().cookies();
  expect(cookie).toMatchObject({ secure: true, httpOnly: true, sameSite: "Strict" });
  // The host may have other servers without TLS, such as an agent's page.
  const answer = await page.request.get(encrypted.url);
  expect(answer.headers()["strict-transport-security"]).toBeUndefined();
  await pressButton(page, "Freeze…");
  await tabTo(page, "input[name=why]");
  await type(page, "behind TLS");
  await pressButton(page, "Show the effect");
  await pressButton(page, "Freeze the fleet");
  await visit.see("text=/Frozen by an operator until .*: behind TLS/");
  visit.expectNoProblems();
  await visit.close();
  await encrypted.close();
});
