import { expect, test } from "bun:test";
import { requestPath } from "#platform/http/request-path.ts";

test.each([
  ["http://127.0.0.1:80/a/b?c=/d", "/a/b"],
  ["http://a/openapi/x", "/openapi/x"],
  ["http://host", "/"],
  ["http://host/", "/"],
  ["http://host?x", "/"],
  ["http://host/a/../openapi", "/a/../openapi"],
  ["http://host/%6fpenapi", "/%6fpenapi"],
])("the path of %s is %s", (url, path) => {
  expect(requestPath(url)).toBe(path);
});
