import { beforeAll, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { ApiError, getJson, loginNeeded, noteLogin, request, sendJson, setKey } from "#platform/page/api-client.ts";
import { ageMs, connection, noteAway, noteLive } from "#platform/page/connection.ts";
import { formatTime } from "#platform/page/format.ts";
import { dismissError, pageErrors, showError, watchErrors } from "#platform/page/page-errors.ts";
import { canOperate, isLoggedOut, loadSession, logIn, logOut, session } from "#platform/page/session.ts";
import { browserSkewMs, inUtc, timeText } from "#platform/page/time-zone.ts";
import { goTo, path, query, setQuery, watchPlace } from "#platform/page/url-state.ts";
import { fakeBrowser } from "./fake-browser.ts";

const browser = fakeBrowser("http://controller.example:7070");

/** Error that a promise ends with. */
async function errorOf(work: Promise<unknown>): Promise<ApiError> {
  const error = await work.then(
    () => null,
    (each: unknown) => each,
  );
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

beforeEach(() => {
  browser.asked.length = 0;
  setKey(null);
});

describe("the address", () => {
  beforeAll(() => watchPlace((own) => own.startsWith("/agents")));

  test("follows the view and the filters, and the view follows the browser's history", () => {
    goTo("/agents/a?window=7d");
    expect([path.value, query.value.get("window")]).toEqual(["/agents/a", "7d"]);
    setQuery({ window: null, sort: "name" });
    expect([path.value, query.value.toString()]).toEqual(["/agents/a", "sort=name"]);
    setQuery({ sort: "" });
    expect(query.value.toString()).toBe("");
    browser.goBack("/cost?month=2026-11");
    expect([path.value, query.value.get("month")]).toEqual(["/cost", "2026-11"]);
  });

  test.each([
    "a&b=c#d?e",
    "100 % + more",
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "//evil.example/",
    "Zürich 東京",
    "a\u0000\u202eb",
  ])("keeps the filter %p as it was typed, beside the others, and leads nowhere else", (text) => {
    goTo("/agents?sort=name");
    setQuery({ search: text });
    expect([query.value.get("search"), query.value.get("sort"), path.value]).toEqual([text, "name", "/agents"]);
    const sent = location.pathname + location.search;
    setQuery({ search: null });
    expect([query.value.get("search"), query.value.get("sort")]).toEqual([null, "name"]);
    // Who opens the address that was sent to them sees the same.
    goTo(sent);
    expect([query.value.get("search"), query.value.get("sort"), path.value]).toEqual([text, "name", "/agents"]);
  });

  test("has an entry in the browser's history for each view, and none for each letter of a filter", () => {
    using entries = spyOn(history, "pushState");
    goTo("/agents");
    for (const typed of ["b", "bo", "board"]) setQuery({ search: typed });
    goTo("/agents/board-1");
    expect(entries.mock.calls.map(([, , href]) => href)).toEqual(["/agents", "/agents/board-1"]);
  });

  test.each([
    ["/agents/b?x=1", {}, "/agents/b"],
    ["/docs", {}, null],
    ["https://elsewhere.example/agents", {}, null],
    ["/#top", {}, null],
    ["/agents", { link: { target: "_blank" } }, null],
    ["/agents", { link: { hasAttribute: (name: string) => name === "download" } }, null],
    ["/agents", { event: { ctrlKey: true } }, null],
    ["/agents", { event: { button: 1 } }, null],
    [null, {}, null],
  ])("a click on %p with %p leads to %p within the page", (href, more, to) => {
    browser.goBack("/");
    expect(browser.click(href, more)).toBe(to === null);
    expect(path.value).toBe(to ?? "/");
  });
});

describe("requests", () => {
  test("carry the key and bring JSON", async () => {
    setKey("secret-key");
    browser.answer = async (asked) =>
      Response.json({ key: asked.headers.get("authorization"), body: asked.body === null ? null : await asked.json() });
    expect(await getJson<object>("/api/v1/fleet")).toEqual({ key: "Bearer secret-key", body: null });
    expect(await sendJson<object>("PUT", "/api/v1/agents/a/override", { role: "active" })).toEqual({
      ...{ key: "Bearer secret-key", body: { role: "active" } },
    });
    browser.answer = () => new Response(null, { status: 204 });
    expect(await sendJson("DELETE", "/api/v1/keys/1")).toBeNull();
    expect(browser.asked).toEqual(["GET /api/v1/fleet", "PUT /api/v1/agents/a/override", "DELETE /api/v1/keys/1"]);
  });

  test("give the session's cookie to the page's own server only", async () => {
    using sent = spyOn(globalThis, "fetch");
    browser.answer = () => Response.json({});
    await getJson("/api/v1/fleet");
    await sendJson("POST", "/api/v1/policy", {});
    expect(sent.mock.calls.map(([, init]) => init?.credentials)).toEqual(["same-origin", "same-origin"]);
    // Without a key nothing is sent in its place.
    expect(sent.mock.calls.map(([, init]) => new Headers(init?.headers).has("authorization"))).toEqual([false, false]);
  });

  test("that get no answer within 30 s end, except a stream's", async () => {
    const limit = new AbortController();
    using limits = spyOn(AbortSignal, "timeout").mockReturnValue(limit.signal);
    browser.answer = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const stop = new AbortController();
    const stream = request("/api/v1/stream", { isEndless: true, signal: stop.signal });
    const fleet = errorOf(getJson("/api/v1/fleet"));
    limit.abort();
    expect(await fleet).toMatchObject({ status: 0, code: "UNREACHABLE", message: "it does not answer" });
    expect(limits.mock.calls).toEqual([[30_000]]);
    stop.abort(new Error("closed"));
    await expect(stream).rejects.toThrow("closed");
  });

  test("end with what the server says is wrong, or with its status where it says nothing", async () => {
    const mistakes = ["limits.max: expected 1 or more, got 0"];
    browser.answer = () => Response.json({ error: "not valid", code: "INVALID", mistakes }, { status: 400 });
    expect(await errorOf(getJson("/api/v1/policy"))).toMatchObject({
      ...{ status: 400, code: "INVALID", message: "not valid", mistakes },
    });
    browser.answer = () => new Response("<h1>Bad Gateway</h1>", { status: 502, statusText: "Bad Gateway" });
    const error = await errorOf(getJson("/api/v1/policy"));
    expect([error.status, error.code, error.message]).toEqual([
      ...[502, "UNKNOWN", "the server answered 502 Bad Gateway"],
    ]);
    browser.answer = () => Promise.reject(new TypeError("fetch failed"));
    expect(await errorOf(getJson("/api/v1/policy"))).toMatchObject({ status: 0, message: "it can't be reached" });
  });

  test("that nobody wants any more end as aborted", async () => {
    browser.answer = () => Promise.reject(new DOMException("aborted", "AbortError"));
    await expect(getJson("/api/v1/fleet", AbortSignal.abort())).rejects.toThrow("aborted");
  });

  test("are not sent after the session has ended, until the user logs in", async () => {
    browser.answer = () => Response.json({ error: "no key", code: "UNAUTHORIZED" }, { status: 401 });
    await errorOf(getJson("/api/v1/session"));
    expect(loginNeeded.value).toBe(false);
    await errorOf(getJson("/api/v1/fleet"));
    expect(loginNeeded.value).toBe(true);
    expect(await errorOf(getJson("/api/v1/fleet"))).toMatchObject({
      ...{ status: 401, message: "the session has expired: log in again" },
    });
    await errorOf(getJson("/api/v1/session"));
    expect(browser.asked).toEqual(["GET /api/v1/session", "GET /api/v1/fleet", "GET /api/v1/session"]);
    // A refusal of what was sent before the login says nothing of the session after it.
    noteLogin();
    browser.answer = () => {
      noteLogin();
      return new Response("", { status: 401 });
    };
    await errorOf(request("/api/v1/fleet"));
    expect(loginNeeded.value).toBe(false);
  });
});

test("who logs in may do what the role allows, and who logs out begins with a new page", async () => {
  browser.answer = () => Response.json({ keysRequired: true, caller: null });
  await loadSession();
  expect([isLoggedOut.value, canOperate.value]).toEqual([true, false]);
  loginNeeded.value = true;
  browser.answer = async (asked) =>
    Response.json({
      keysRequired: true,
      caller: { name: "Ada", role: ((await asked.json()) as { key: string }).key === "o" ? "operator" : "viewer" },
    });
  await logIn("v");
  expect([isLoggedOut.value, canOperate.value, loginNeeded.value]).toEqual([false, false, false]);
  await logIn("o");
  expect([session.value?.caller?.name, canOperate.value]).toEqual(["Ada", true]);
  browser.answer = () => new Response(null, { status: 204 });
  await logOut();
  expect(browser.loaded).toEqual(["/"]);
});

test("times are written in the zone that the user has chosen", () => {
  const at = Date.UTC(2026, 10, 30, 23, 5);
  inUtc.value = true;
  expect(timeText(at, "minute")).toContain("23:05");
  inUtc.value = false;
  expect(timeText(at, "minute")).toBe(formatTime(at, "minute", undefined));
});

test("the connection is away when no answer comes, and not when one is a refusal; its age counts by the server's clock", () => {
  expect(ageMs()).toBeNull();
  noteLive(Date.now() + 3_600_000);
  expect(connection.value).toMatchObject({ state: "live", problem: null });
  expect(ageMs()).toBeGreaterThanOrEqual(0);
  expect(browserSkewMs()).toBeLessThan(-3_000_000);
  noteAway(new ApiError(404, "NOT_FOUND", "no agent a"));
  expect(connection.value).toMatchObject({ state: "live", problem: "no agent a" });
  noteAway(new ApiError(0, "UNREACHABLE", "it can't be reached"));
  expect(connection.value).toMatchObject({ state: "away", problem: "it can't be reached" });
  noteAway("cut");
  expect(connection.value.problem).toBe("cut");
});

test("errors that nobody catches are shown, each once with its count, the newest five, until they are dismissed", () => {
  watchErrors();
  browser.tell("error", { message: "ResizeObserver loop completed with undelivered notifications." });
  expect(pageErrors.value).toEqual([]);
  browser.tell("error", { message: "x is not a function" });
  browser.tell("unhandledrejection", { reason: new Error("no chart") });
  browser.tell("unhandledrejection", { reason: new Error("no chart") });
  expect(pageErrors.value).toEqual([
    { text: "this page failed: x is not a function", count: 1 },
    { text: "no chart", count: 2 },
  ]);
  dismissError("no chart");
  for (let index = 0; index < 6; index += 1) showError(`error ${index}`);
  expect(pageErrors.value.map(({ text }) => text)).toEqual(["error 1", "error 2", "error 3", "error 4", "error 5"]);
});
