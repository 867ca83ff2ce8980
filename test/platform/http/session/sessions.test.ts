import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { openSealedText, sealText, sessionIdOf } from "#platform/http/session/sealed-text.ts";
import { sessionTokenOf, setSessionCookie } from "#platform/http/session/session-cookie.ts";
import { idleSessionMs, KeptSessions, Sessions } from "#platform/http/session/sessions.ts";
import { createLogger } from "#platform/log.ts";
import { hourMs } from "#platform/time.ts";

const log = createLogger("test", "silent");

/** Sessions whose memory outlives them, on a clock that is moved by hand. */
function setUp() {
  const time = { ms: 1_800_000_000_000 };
  let kept: KeptSessions | null = null;
  const memory = {
    load: async () => structuredClone(kept),
    save: async (sessions: KeptSessions) => {
      kept = structuredClone(sessions);
    },
  };
  const create = async () => {
    const sessions = new Sessions({ memory, nowMs: () => time.ms, log });
    await sessions.load();
    return sessions;
  };
  return { time, create, kept: () => kept as KeptSessions | null };
}

test("a session gives back the credential with which it was begun, also after a restart", async () => {
  const { create } = setUp();
  const token = await (await create()).begin("Bearer secret-key", "key 1");
  expect((await create()).find(token).authorization).toBe("Bearer secret-key");
});

test("what is kept holds neither the token nor the credential, and is what the schema says", async () => {
  const { create, kept } = setUp();
  const token = await (await create()).begin("Bearer secret-key", "key 1");
  const text = JSON.stringify(kept());
  expect(text).not.toContain("secret-key");
  expect(text).not.toContain(token);
  expect(text).toContain(sessionIdOf(token));
  expect(Value.Check(KeptSessions, kept())).toBe(true);
});

test.each([
  ["just before it is idle for too long", idleSessionMs - 1, "Bearer k"],
  ["when it has been idle for too long", idleSessionMs, null],
  ["with a clock that was set back by as much", -idleSessionMs, null],
])("%s it is as it should be", async (_, passedMs, expected) => {
  const { create, time } = setUp();
  const sessions = await create();
  const token = await sessions.begin("Bearer k", "key 1");
  time.ms += passedMs;
  expect(sessions.find(token).authorization).toBe(expected);
});

test("use keeps it alive, but not beyond seven days", async () => {
  const { create, time } = setUp();
  const sessions = await create();
  const token = await sessions.begin("Bearer k", "key 1");
  const hours: (string | null)[] = [];
  for (let hour = 10; hour <= 170; hour += 10) {
    time.ms += 10 * hourMs;
    hours.push(sessions.find(token).authorization);
  }
  expect(hours.slice(0, 16)).toEqual(new Array(16).fill("Bearer k"));
  expect(hours[16]).toBeNull();
});

test("one that was ended stays ended after a restart, whichever way it ended", async () => {
  const { create } = setUp();
  const sessions = await create();
  const tokens = [await sessions.begin("Bearer a", "key 1"), await sessions.begin("Bearer b", "key 1")] as const;
  await sessions.end(tokens[0]);
  sessions.find(tokens[1]).end();
  expect(tokens.map((token) => sessions.find(token).authorization)).toEqual([null, null]);
  const after = await create();
  expect(tokens.map((token) => after.find(token).authorization)).toEqual([null, null]);
});

test("of one key the newest fifty are kept, and those of others are not pushed out", async () => {
  const { create } = setUp();
  const sessions = await create();
  const other = await sessions.begin("Bearer other", "key 2");
  const tokens: string[] = [];
  for (let each = 0; each < 60; each += 1) tokens.push(await sessions.begin("Bearer k", "key 1"));
  const open = tokens.map((token) => sessions.find(token).authorization !== null);
  expect(open).toEqual([...new Array(10).fill(false), ...new Array(50).fill(true)]);
  expect(sessions.find(other).authorization).toBe("Bearer other");
});

test("of all sessions the thousand that were used last are kept", async () => {
  const { create } = setUp();
  const sessions = await create();
  const first = await sessions.begin("Bearer k", "key 0");
  const second = await sessions.begin("Bearer k", "key 0");
  for (let each = 2; each < 1000; each += 1) await sessions.begin("Bearer k", `key ${each}`);
  sessions.find(first);
  await sessions.begin("Bearer k", "key 1000");
  expect(sessions.size).toBe(1000);
  expect(sessions.find(first).authorization).toBe("Bearer k");
  expect(sessions.find(second).authorization).toBeNull();
});

test("when it was used is kept at the end, so that a restart does not shorten it", async () => {
  const { create, time } = setUp();
  const sessions = await create();
  const token = await sessions.begin("Bearer k", "key 1");
  time.ms += 11 * hourMs;
  sessions.find(token);
  await sessions.refresh(true);
  time.ms += 11 * hourMs;
  expect((await create()).find(token).authorization).toBe("Bearer k");
});

test("a credential longer than any key is not kept across a restart", async () => {
  const { create, kept } = setUp();
  const sessions = await create();
  const token = await sessions.begin(`Bearer ${"x".repeat(2000)}`, "token of ada");
  expect(sessions.find(token).authorization).toHaveLength(2007);
  expect(kept()?.sessions).toEqual([]);
});

test("a memory that fails ends no session", async () => {
  const memory = {
    load: async () => null,
    save: () => Promise.reject(new Error("disk full")),
  };
  const sessions = new Sessions({ memory, nowMs: () => 5, log });
  const token = await sessions.begin("Bearer k", "key 1");
  expect(sessions.find(token).authorization).toBe("Bearer k");
});

describe("a sealed text", () => {
  test("is opened by its token only, and only as it was made", () => {
    const sealed = sealText("Bearer käse", "a");
    expect(openSealedText(sealed, "a")).toBe("Bearer käse");
    expect(openSealedText(sealed, "b")).toBeNull();
    expect(openSealedText(`A${sealed.slice(1)}`, "a") === null || sealed.startsWith("A")).toBe(true);
    expect(openSealedText("", "a")).toBeNull();
  });
});

describe("the cookie", () => {
  const token = "a".repeat(43);
  const at = (host: string, cookie: string) => new Headers({ host, cookie });

  test("is Secure where the browser's connection is encrypted", () => {
    const headers = new Headers({ host: "fleet.example.com" });
    expect(setSessionCookie(headers, token, true)).toBe(
      `thormesh_session=${token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=604800; Secure`,
    );
    expect(setSessionCookie(headers, null, false)).toBe(
      "thormesh_session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0",
    );
  });

  test.each([
    ["fleet.example.com", `a=b; thormesh_session=${token}`, token],
    ["localhost:8081", `thormesh_session_8081=${token}; x=y`, token],
    ["localhost:8082", `thormesh_session_8081=${token}`, null],
    ["localhost:8081", `thormesh_session_8081=${token}x`, null],
    ["localhost:8081", `xthormesh_session_8081=${token}`, null],
    ["localhost:8081", "thormesh_session_8081=", null],
  ])("at %s is found in %p as it should be", (host, cookie, expected) => {
    expect(sessionTokenOf(at(host, cookie))).toBe(expected);
  });
});
