import { expect, test } from "bun:test";
import { requestPath, requestTarget } from "#platform/http/guard/request-target.ts";

const of = (url: string, host: string | null) =>
  requestTarget({ url, headers: new Headers(host === null ? {} : { host }) });

test.each([
  ["http://127.0.0.1:80/a/b?c=/d", "127.0.0.1:80", "127.0.0.1", "/a/b"],
  ["http://A.b/openapi/x", "A.b", "a.b", "/openapi/x"],
  ["http://host./", "host.", "host", "/"],
  ["http://[::1]:8080/a", "[::1]:8080", "[::1]", "/a"],
  ["https://host/%6fpenapi", "host", "host", "/%6fpenapi"],
  ["http://Known.A:80/", "known.a:80", "known.a", "/"],
  ["http://b:81/a?b=/c", "b:81", "b", "/a"],
  ["http://b:81/a?", "b:81", "b", "/a"],
  ["http://other/a", "host", "other", "/a"],
])("%s with host %s is %s and %s", (url, header, host, path) => {
  expect(of(url, header)).toEqual({ kind: "absolute", host, path, pathAt: url.indexOf("/", 8) });
});

test("the error of a malformed target shows the start of its header", () => {
  const target = of("http://a/", `a, ${"b".repeat(100)}`);
  expect(target).toEqual({
    kind: "malformed",
    reason: `host: expected one host name or address with an optional port, got "a, ${"b".repeat(61)}"`,
  });
  expect(of("", null)).toEqual({ kind: "malformed", reason: "host: expected a Host header, got nothing" });
});

test("the path for a log is the target's, and / without one", () => {
  const headers = new Headers({ host: "a" });
  expect(requestPath({ url: "http://a/b?c", headers })).toBe("/b");
  expect(requestPath({ url: "http://a/b#c", headers })).toBe("/");
  expect(requestPath({ url: "/b?c", headers: new Headers() })).toBe("/b");
});

test.each([
  ["/livez", null, "without-host"],
  ["/a?b", null, "without-host"],
  ["/livez", "", "malformed"],
  ["/livez", "a/b", "malformed"],
  ["http://a/x#y", "a", "malformed"],
  ["http://a/x", "a, b", "malformed"],
  ["http://a b/x", "a b", "malformed"],
  ["http://user@a/x", "user@a", "malformed"],
  ["ftp://a/x", "a", "malformed"],
  ["http://a/x", "a b", "malformed"],
  ["http://b:81/a?b=/c#d", "b:81", "malformed"],
  ["http://b:81", "b:81", "malformed"],
  ["a:80", "a", "malformed"],
  ["", null, "malformed"],
])("%s with host %p is %s", (url, header, kind) => {
  expect(of(url, header).kind).toBe(kind as never);
});
