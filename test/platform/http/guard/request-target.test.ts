import { expect, test } from "bun:test";
import { requestTarget } from "#platform/http/guard/request-target.ts";

const of = (url: string, host: string | null) =>
  requestTarget({ url, headers: new Headers(host === null ? {} : { host }) });

test.each([
  ["http://127.0.0.1:80/a/b?c=/d", "127.0.0.1:80", "127.0.0.1", "/a/b"],
  ["http://A.b/openapi/x", "A.b", "a.b", "/openapi/x"],
  ["http://host./", "host.", "host", "/"],
  ["http://[::1]:8080/a", "[::1]:8080", "[::1]", "/a"],
  ["https://host/%6fpenapi", "host", "host", "/%6fpenapi"],
])("%s with host %s is %s and %s", (url, header, host, path) => {
  expect(of(url, header)).toEqual({ kind: "absolute", host, path });
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
  ["a:80", "a", "malformed"],
  ["", null, "malformed"],
])("%s with host %p is %s", (url, header, kind) => {
  expect(of(url, header).kind).toBe(kind as never);
});
