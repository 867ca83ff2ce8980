import { expect, test } from "bun:test";
import { UsageError } from "#platform/errors.ts";
import { assertListenAllowed, isLoopback } from "#platform/http/guard/listen-address.ts";

test.each([
  ["127.0.0.1", true],
  ["127.8.0.1", true],
  ["localhost", true],
  ["::1", true],
  ["[::1]", true],
  ["::ffff:127.0.0.1", true],
  ["0.0.0.0", false],
  ["::", false],
  ["192.168.1.4", false],
  ["127.0.0.1.example.com", false],
  ["", false],
])("isLoopback(%s) is %p", (host, loopback) => {
  expect(isLoopback(host)).toBe(loopback);
});

test.each([
  { name: "loopback", host: "127.0.0.1", apiKeys: [], insecure: false, allowed: true },
  { name: "everywhere without a key", host: "0.0.0.0", apiKeys: [], insecure: false, allowed: false },
  { name: "everywhere with a key", host: "0.0.0.0", apiKeys: ["k"], insecure: false, allowed: true },
  { name: "everywhere, insecure on purpose", host: "0.0.0.0", apiKeys: [], insecure: true, allowed: true },
])("$name", ({ allowed, ...listen }) => {
  const attempt = () => assertListenAllowed("api", listen);
  if (allowed) expect(attempt).not.toThrow();
  else expect(attempt).toThrow(UsageError);
});
