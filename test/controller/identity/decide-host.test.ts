import { expect, test } from "bun:test";
import { parseControllerConfig } from "#controller/check-config.ts";
import { decideHost } from "#controller/identity/decide-host.ts";

const allowed = ["*.plant.example", "Thor.example", "10.0.0.0/8", "fd00::/8", "192.0.2.7"];

test.each([
  ["anything.example", null, "granted"],
  ["broker.thormesh.internal", null, "reserved"],
  ["x.Agent.Thormesh.Internal", null, "reserved"],
  ["thormesh.internal", null, "granted"],
  ["localhost", [], "granted"],
  ["127.0.0.1", [], "granted"],
  ["::1", [], "granted"],
  ["thor-1", [], "not-configured"],
  ["a.plant.example", allowed, "granted"],
  ["A.B.Plant.example", allowed, "granted"],
  ["plant.example", allowed, "not-configured"],
  [".plant.example", allowed, "not-configured"],
  ["evilplant.example", allowed, "not-configured"],
  ["thor.example", allowed, "granted"],
  ["x.thor.example", allowed, "not-configured"],
  ["10.255.1.2", allowed, "granted"],
  ["11.0.0.1", allowed, "not-configured"],
  ["10.example", allowed, "not-configured"],
  ["fd12::1", allowed, "granted"],
  ["fe00::1", allowed, "not-configured"],
  ["192.0.2.7", allowed, "granted"],
  ["192.0.2.8", allowed, "not-configured"],
  ["controller.thormesh.internal", ["*.thormesh.internal"], "reserved"],
] as const)("%s with %p: %s", (host, patterns, rule) => {
  expect(decideHost(host, patterns === null ? null : [...patterns])).toBe(rule);
});

test.each(["10.0.0.0/33", "300.1.1.1", "fd00::/129", "a.example/8", "1:2"])("%s is no network", (host) => {
  expect(() => parseControllerConfig({ identity: { hosts: ["*.plant.example", "10.0.0.0/8", host] } }, "x")).toThrow(
    `identity.hosts: expected an address or a network such as 10.0.0.0/8, got "${host}"`,
  );
});
