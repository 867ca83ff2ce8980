import { describe, expect, test } from "bun:test";
import { meshRoutes } from "#controller/api/agents/mesh-routes.ts";
import { MeshSums } from "#controller/api/agents/mesh-view.ts";
import { createFleet } from "#controller/fleet/fleet.ts";
import { minuteMs } from "#platform/time.ts";
import type { MinuteMesh, RouteCount } from "#protocol/messages.ts";
import { askRoutes } from "../../../fakes/ask-routes.ts";
import { aMinute, anAgent } from "../../../fakes/builders.ts";

const route = (backend: string, given: Partial<RouteCount> = {}): RouteCount => ({
  ...{ backend, kind: backend === "home" ? "home" : "peer", rule: "cheapest", requests: 10, usd: 1, evenUsd: 3 },
  ...given,
});
const mesh = (given: Partial<MinuteMesh> = {}): MinuteMesh => ({
  ...{ routes: [], retries: 0, hedges: 0, hops: [], ejected: [] },
  ...given,
});
const minute = (given: Partial<MinuteMesh>, index = 1) => ({ minuteStartMs: index * minuteMs, mesh: mesh(given) });

describe("sums of what agents report", () => {
  test("a router's home is the router; each backend has its share, price, hop and reasons", () => {
    const sums = new MeshSums();
    sums.add({
      agentId: "thor-1",
      minutes: [
        minute({ routes: [route("home", { rule: "home", requests: 30 }), route("thor-2")], retries: 1 }, 1),
        minute(
          { routes: [route("thor-2", { rule: "less-loaded", requests: 20 })], hops: [{ backend: "thor-2", ms: 2 }] },
          2,
        ),
      ],
    });
    sums.add({
      agentId: "thor-2",
      minutes: [
        minute({
          routes: [route("home", { requests: 20 }), route("none", { kind: "none", rule: "too-late", requests: 4 })],
          hedges: 2,
        }),
      ],
    });
    sums.add({
      agentId: "thor-3",
      minutes: [minute({ hops: [{ backend: "thor-2", ms: 4 }], ejected: [{ backend: "thor-1", model: "m" }] })],
    });
    sums.add({ agentId: "thor-4", minutes: [] });
    const view = sums.view();
    expect(view).toMatchObject({
      ...{ newestMinuteMs: 2 * minuteMs, routers: 3, requests: 80, refused: 4, retries: 1, hedges: 2 },
      ...{ usdPerRequest: 4 / 80, evenUsdPerRequest: 12 / 80 },
      refusals: [{ rule: "too-late", means: "no backend is expected to answer in time", requests: 4 }],
    });
    expect(view.backends).toEqual([
      {
        ...{ backend: "thor-2", kind: "home and peer", requests: 50, share: 50 / 80, hopMs: 3 },
        ...{ usdPerRequest: 3 / 50, evenUsdPerRequest: 9 / 50, ejectedBy: [], ejectedByCount: 0 },
        reasons: [
          { rule: "cheapest", means: "the cheapest that answers in time", requests: 30 },
          { rule: "less-loaded", means: expect.any(String), requests: 20 },
        ],
      },
      expect.objectContaining({ backend: "thor-1", kind: "home", requests: 30, hopMs: null, ejectedBy: ["thor-3"] }),
    ]);
  });

  test("nothing is unknown, not zero; a rule of another version has no meaning here", () => {
    expect(new MeshSums().view()).toMatchObject({
      newestMinuteMs: null,
      routers: 0,
      usdPerRequest: null,
      backends: [],
    });
    const sums = new MeshSums();
    for (const rule of ["of-tomorrow", "constructor"])
      sums.add({ agentId: "a", minutes: [minute({ routes: [route("b", { rule })] })] });
    expect(sums.view().backends[0]?.reasons.map(({ means }) => means)).toEqual([null, null]);
  });

  test("beyond 200 backends the least used are added up, and of those that leave one out 20 are named", () => {
    const sums = new MeshSums();
    for (let index = 0; index < 300; index += 1)
      sums.add({
        agentId: `router-${index}`,
        minutes: [minute({ routes: [route(`b-${index}`)], ejected: [{ backend: "b-0", model: "m" }] })],
      });
    const { backends, requests } = sums.view();
    expect(backends).toHaveLength(201);
    expect(backends.at(-1)).toMatchObject({ backend: "(other)", requests: 1000 });
    expect(requests).toBe(3000);
    expect(backends[0]).toMatchObject({ backend: "b-0", ejectedByCount: 300 });
    expect(backends[0]?.ejectedBy).toHaveLength(20);
  });
});

describe("the route", () => {
  const fleet = createFleet();
  const minutes = [
    aMinute({ minuteStartMs: 0, mesh: mesh({ routes: [route("thor-2")] }) }),
    aMinute({ seq: 2, minuteStartMs: minuteMs }),
  ];
  for (const agentId of ["thor-1", "thor-2"])
    fleet.put(anAgent({ agentId, nowMs: minuteMs, minutes: minutes.map((each) => ({ ...each, agentId })) }));
  fleet.put(
    anAgent({
      agentId: "gone",
      nowMs: 0,
      presence: { status: "offline" },
      minutes: [{ ...(minutes[0] as (typeof minutes)[0]), agentId: "gone" }],
    }),
  );
  const routes = meshRoutes({ fleet, staleAfterMs: 2 * minuteMs, nowMs: () => 2 * minuteMs });
  const asked = askRoutes(routes);
  const ask = (query: string) => asked(`/api/v1/routes${query}`);

  test("adds up all agents that are online, or one", async () => {
    expect((await ask("")).body).toMatchObject({ nowMs: 2 * minuteMs, minutes: 5, routers: 2, requests: 20 });
    expect((await ask("?agent=thor-1")).body).toMatchObject({ routers: 1, requests: 10 });
    expect((await ask("?agent=gone")).body).toMatchObject({ routers: 0, requests: 0, backends: [] });
  });

  test.each([
    ["?agent=thor-9", 404],
    ["?agent=%3Cb%3E", 400],
    ["?all=1", 400],
  ])("%s is refused", async (query, status) => {
    expect((await ask(query)).status).toBe(status);
  });
});
