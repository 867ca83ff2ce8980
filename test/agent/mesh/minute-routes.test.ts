import { expect, test } from "bun:test";
import { evenUsd } from "#agent/mesh/even-price.ts";
import { MinuteRoutes } from "#agent/mesh/minute-routes.ts";
import type { PassedOvers } from "#agent/mesh/routing/decide-route.ts";
import type { Remote } from "#agent/mesh/routing/remote.ts";
import type { RouteEvent } from "#agent/mesh/routing/routed-embedder.ts";
import { encodeMessage } from "#protocol/codec.ts";
import { MinuteMesh } from "#protocol/messages.ts";

const event = (given: Partial<RouteEvent>): RouteEvent => ({
  ...{ atMs: 1, model: "mini", backend: "thor-2", kind: "peer", rule: "cheapest", usd: 1, evenUsd: 3 },
  ...{ attempts: 1, outcome: "answered", reason: "thor-2: the cheapest that answers in time" },
  ...given,
});
const backend = (id: string, circuit = "closed", hopMs: number | null = null) => ({
  ...{ id, model: "mini", circuit, hopMs },
});

test("requests are counted by backend and rule, once; the way only to those that were asked", () => {
  const routes = new MinuteRoutes();
  for (const rule of ["cheapest", "cheapest", "only"]) routes.add(event({ rule }));
  routes.add(event({ backend: "none", kind: "none", rule: "none-left", usd: 0, evenUsd: 0, outcome: "refused" }));
  routes.extra("retry");
  routes.extra("hedge");
  routes.extra("hedge");
  const mesh = routes.take([backend("thor-2", "closed", 1.5), backend("thor-3", "open", 2), backend("thor-4")]);
  expect(mesh).toEqual({
    routes: [
      { backend: "thor-2", kind: "peer", rule: "cheapest", requests: 2, usd: 2, evenUsd: 6 },
      { backend: "thor-2", kind: "peer", rule: "only", requests: 1, usd: 1, evenUsd: 3 },
      { backend: "none", kind: "none", rule: "none-left", requests: 1, usd: 0, evenUsd: 0 },
    ],
    ...{ retries: 1, hedges: 2 },
    hops: [{ backend: "thor-2", ms: 1.5 }],
    ejected: [{ backend: "thor-3", model: "mini" }],
  });
  expect(routes.take([])).toBeNull();
});

test("a backend that is left out is told of without any request; one that is tried again counts as left out", () => {
  expect(new MinuteRoutes().take([backend("thor-3", "probing")])).toMatchObject({
    ...{ routes: [], retries: 0, hedges: 0, hops: [] },
    ejected: [{ backend: "thor-3" }],
  });
});

test.each([
  [100, ["less-loaded"]],
  [100, ["less-loaded", "cheapest", "all-busy"]],
  [300, Array.from({ length: 40 }, (_, index) => `rule-${index}`)],
])("of %d backends and the rules %p the record keeps the most used, and the sums of all", (backends, rules) => {
  const routes = new MinuteRoutes();
  let requests = 0;
  for (let index = 0; index < backends; index += 1)
    for (const rule of rules)
      for (let time = 0; time <= (index === 7 ? 50 : 1); time += 1) {
        routes.add(event({ backend: `thor-${index}`, rule }));
        requests += 1;
      }
  const mesh = routes.take(Array.from({ length: backends }, (_, index) => backend(`thor-${index}`, "open", 2)));
  if (mesh === null) throw new Error("nothing was counted");
  expect(() => encodeMessage(MinuteMesh, mesh)).not.toThrow();
  expect(mesh.routes[0]).toMatchObject({ backend: "thor-7", requests: 51 });
  expect(mesh.routes.reduce((sum, row) => sum + row.requests, 0)).toBe(requests);
  expect(mesh.routes.reduce((sum, row) => sum + row.usd, 0)).toBe(requests);
  expect(mesh.routes.some((row) => row.backend === "(other)")).toBe(true);
});

const peer = (agentId: string, usdPerRequest: number | null): Remote => ({
  ...{ kind: "peer", id: agentId },
  peer: { agentId, bootId: "b", url: "", region: "eu", spaces: {}, qps: null, usdPerRequest, silent: false },
});

test.each<[string, string, PassedOvers, number | null, number]>([
  ["all that could be asked, here too", "home", { a: "dearer", b: "fuller", c: "busy" }, 6, (6 + 1 + 2 + 6) / 4],
  ["none that could not", "home", { a: "circuit-open", b: "region", c: "tried" }, 6, 6],
  ["not this agent while it is no candidate", "c", { a: "busy", b: "too-late" }, 6, (1 + 2 + 6) / 3],
  ["not this agent while it stands by", "a", { home: "standby", b: "draining", c: "other-vectors" }, 6, 1],
  [
    "a peer without a price for nothing, where this agent has not the model",
    "a",
    { b: "dearer", c: "fuller" },
    null,
    1,
  ],
])("the even mix is the mean price of %s", (_, backend, passedOver, homeUsd, usd) => {
  const remotes = [peer("a", 1), peer("b", 2), peer("c", null)];
  expect(evenUsd({ decision: { backend, passedOver }, remotes, tokens: 1, homeUsd })).toBeCloseTo(usd, 12);
});
