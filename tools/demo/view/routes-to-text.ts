import { referencePrices } from "#tools/mesh/reference-offers.ts";
import { dollars, thousands } from "./format.ts";
import { buildRoutesReport, byKind, kindOf, type RouteKind, type RoutesReport } from "./routes.ts";
import type { RouteCount, RoutesView } from "./snapshot.ts";

const names: Readonly<Record<RouteKind, string>> = {
  peer: "boards",
  spot: "spot",
  serverless: "serverless",
  "on-demand": "on demand",
};

const perMillion = (usd: number) => `$${usd.toFixed(2)}`;

function less(usd: number, than: number): string {
  const share = Math.round(100 * (1 - usd / than));
  return share >= 0 ? `${share} % less` : `${-share} % more`;
}

/** Formats a share; a small one is not nothing. */
const percentOf = (share: number) => (share < 0.005 ? "< 1 %" : `${Math.round(100 * share)} %`);

/** Formats shares by kind: "boards 92 %, spot 6 %, on demand 2 %". */
function sharesToText(routes: readonly Pick<RouteCount, "kind" | "requests">[]): string {
  const counts = byKind(routes);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return [...counts].map(([kind, count]) => `${names[kind]} ${percentOf(count / total)}`).join(", ");
}

/** Says in one line who answered, and what a million such requests cost. */
export function mixToText(routes: readonly Pick<RouteCount, "kind" | "requests">[]): string {
  const requests = routes.reduce((sum, route) => sum + route.requests, 0);
  if (requests === 0) return "none yet";
  const usd = routes.reduce((sum, route) => sum + route.requests * referencePrices[route.kind], 0);
  return `${sharesToText(routes)}: ${perMillion((1e6 * usd) / requests)} a million requests`;
}

/** The same, of what clients were told. */
export function servedByToText(servedBy: Readonly<Record<string, number>>): string {
  return mixToText(Object.entries(servedBy).map(([backend, requests]) => ({ kind: kindOf(backend), requests })));
}

/** Says in the live view's line at what price requests were answered, and by whom: the price stays where the line is cut. */
export function routesLine(view: RoutesView, slowdown: number): string {
  const { usdPerMillion, evenMix, routes } = buildRoutesReport(view, slowdown);
  if (usdPerMillion === null) return "none yet";
  return `${perMillion(usdPerMillion)} a million (even mix ${perMillion(evenMix.usdPerMillion)}): ${sharesToText(routes)}`;
}

/** Says of each backend how many requests it answered and by which rules, then the price of all. */
export function routesToLines(report: RoutesReport): string[] {
  const { routes, requests, refused, extraAttempts, usd, usdPerMillion, usdPerMillionByKind, evenMix } = report;
  if (usdPerMillion === null) return ["routes      none"];
  const backends = [...new Set(routes.map(({ backend }) => backend))].map((backend) => {
    const own = routes.filter((route) => route.backend === backend);
    return { backend, own, total: own.reduce((sum, route) => sum + route.requests, 0) };
  });
  const lines = backends
    .sort((a, b) => b.total - a.total)
    .map(({ backend, own, total }) => {
      const reasons = own.map((route) => `${thousands.format(route.requests)} ${route.reason}`).join(", ");
      const price = perMillion(usdPerMillionByKind[kindOf(backend)]);
      return `routes      ${backend} ${thousands.format(total)} at ${price} a million: ${reasons}`;
    });
  const places = evenMix.kinds.map((kind) => names[kind]).join(", ");
  return [
    ...lines,
    `attempts    ${extraAttempts.retry} retries, ${extraAttempts.hedge} hedges, ${refused} refused, of ${thousands.format(requests)} requests`,
    `price       ${dollars(usd)}, ${perMillion(usdPerMillion)} a million requests at full speed; a third each to ${places}: ` +
      `${dollars(evenMix.usd)}, ${perMillion(evenMix.usdPerMillion)} a million (${less(usd, evenMix.usd)})`,
  ];
}
