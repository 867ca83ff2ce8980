import { describe, expect, test } from "bun:test";
import { buildRoutesReport, byKind, kindOf, readRoutes } from "#tools/demo/view/routes.ts";
import { mixToText, routesLine, routesToLines, servedByToText } from "#tools/demo/view/routes-to-text.ts";

const metrics = `# HELP thormesh_routes_total Requests that had a choice
# TYPE thormesh_routes_total counter
thormesh_routes_total{backend="thor-1",reason="less-loaded"} 700
thormesh_routes_total{backend="offer:on-demand",reason="all-busy"} 20
thormesh_routes_total{backend="thor-1",reason="cheapest"} 80
thormesh_routes_total{backend="offer:spot",reason="cheapest"} 200
thormesh_routes_total{backend="none",reason="none-left"} 5
# HELP thormesh_routes_usd_total Price
# TYPE thormesh_routes_usd_total counter
thormesh_routes_usd_total{kind="peer"} 0.624
thormesh_routes_usd_total{kind="spot"} 0.4
thormesh_routes_usd_total{kind="on-demand"} 0.12
# HELP thormesh_route_extra_attempts_total Attempts
# TYPE thormesh_route_extra_attempts_total counter
thormesh_route_extra_attempts_total{kind="hedge"} 7
`;
const view = readRoutes(metrics);

describe("routes of an entry's metrics", () => {
  test("by backend and reason, the most requests first; nobody's apart", () => {
    expect(view.routes).toEqual([
      { backend: "thor-1", kind: "peer", reason: "less-loaded", requests: 700 },
      { backend: "offer:spot", kind: "spot", reason: "cheapest", requests: 200 },
      { backend: "thor-1", kind: "peer", reason: "cheapest", requests: 80 },
      { backend: "offer:on-demand", kind: "on-demand", reason: "all-busy", requests: 20 },
    ]);
    expect(view).toMatchObject({ refused: 5, extraAttempts: { retry: 0, hedge: 7 } });
    expect(view.usd).toBeCloseTo(1.144, 12);
  });

  test("none before the first request", () => {
    const none = readRoutes("\n");
    expect(none).toEqual({ routes: [], refused: 0, extraAttempts: { retry: 0, hedge: 0 }, usd: 0 });
    expect(buildRoutesReport(none, 1000)).toMatchObject({ requests: 0, usdPerMillion: null });
    expect(routesToLines(buildRoutesReport(none, 1000))).toEqual(["routes      none"]);
    expect([routesLine(none, 1000), mixToText([]), servedByToText({})]).toEqual(["none yet", "none yet", "none yet"]);
  });

  test.each([
    ["thor-1", "peer"],
    ["offer:spot", "spot"],
    ["offer:on-demand", "on-demand"],
    ["spot", "peer"],
  ])("%s is of kind %s", (backend, kind) => expect<string>(kindOf(backend)).toBe(kind));

  test("kinds in the order of their prices", () => {
    expect([...byKind(view.routes)]).toEqual([
      ["peer", 780],
      ["spot", 200],
      ["on-demand", 20],
    ]);
  });
});

describe("their price", () => {
  const report = buildRoutesReport(view, 1000);

  test("of a million at full speed, beside a third each to boards, spot and on demand", () => {
    expect(report.requests).toBe(1000);
    expect(report.usdPerMillion).toBeCloseTo(0.78 * 0.8 + 0.2 * 2 + 0.02 * 6, 9);
    expect(report.evenMix.usdPerMillion).toBeCloseTo((0.8 + 2 + 6) / 3, 9);
    expect(report.evenMix.usd).toBeCloseTo((1000 * 1000 * (0.8 + 2 + 6)) / 3 / 1e6, 9);
    expect(report.usdPerMillionByKind).toEqual({
      peer: expect.closeTo(0.8, 9),
      spot: expect.closeTo(2, 9),
      serverless: expect.closeTo(4.2, 9),
      "on-demand": expect.closeTo(6, 9),
    });
  });

  test("is told to people", () => {
    expect(routesToLines(report)).toEqual([
      "routes      thor-1 780 at $0.80 a million: 700 less-loaded, 80 cheapest",
      "routes      offer:spot 200 at $2.00 a million: 200 cheapest",
      "routes      offer:on-demand 20 at $6.00 a million: 20 all-busy",
      "attempts    0 retries, 7 hedges, 5 refused, of 1,000 requests",
      "price       $1.14, $1.14 a million requests at full speed; a third each to boards, spot, on demand: $2.93, $2.93 a million (61 % less)",
    ]);
    expect(routesLine(view, 1000)).toBe("$1.14 a million (even mix $2.93): boards 78 %, spot 20 %, on demand 2 %");
    expect(servedByToText({ "thor-1": 999, "offer:on-demand": 1 })).toStartWith("boards 100 %, on demand < 1 %: $0.81");
    expect(servedByToText({ "offer:serverless": 1, "thor-1": 1, "thor-2": 2 })).toBe(
      "boards 75 %, serverless 25 %: $1.65 a million requests",
    );
  });

  test("a dear mix is told as such", () => {
    const routes = [{ backend: "offer:on-demand", kind: "on-demand", reason: "only", requests: 10 } as const];
    const dear = buildRoutesReport({ ...view, routes, usd: 10 * 0.000_006 }, 1);
    expect(routesToLines(dear).at(-1)).toEndWith("(105 % more)");
  });
});
