import type { Static } from "@sinclair/typebox";
import type { RoutesView } from "#controller/api/agents/mesh-routes.ts";
import { getJson } from "#platform/page/api-client.ts";
import { Figure, Figures } from "#platform/page/figure.tsx";
import { formatDuration, formatMoney, formatNumber, formatShare, quantityText } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { StatusWord } from "#platform/page/status-word.tsx";
import { type Column, rowsPerPage, type Sort, Table } from "#platform/page/table.tsx";
import { timeText } from "#platform/page/time-zone.ts";
import { query, setQuery } from "#platform/page/url-state.ts";
import { usePolled } from "#platform/page/use-polled.ts";

type Routes = Static<typeof RoutesView>;
type Backend = Routes["backends"][number];

const periodMs = 5_000;
/** Without the last digits, in which sums differ from what they should be. */
const perMillion = (usd: number | null) => formatMoney(usd === null ? null : Number((usd * 1e6).toPrecision(9)));
const isAgent = ({ backend, kind }: Backend) =>
  !backend.startsWith("offer:") && !backend.startsWith("(") && (kind.includes("home") || kind === "peer");

/** Price in percent of that on an even mix: below 0 it is cheaper. */
function againstEven(usd: number | null, evenUsd: number | null): string {
  if (usd === null || evenUsd === null || evenUsd === 0) return "–";
  const share = Math.round(100 * (usd / evenUsd - 1));
  return share === 0 ? "as even" : `${Math.abs(share)} % ${share < 0 ? "less" : "more"}`;
}

function Ejected({ backend }: { readonly backend: Backend }) {
  const { ejectedBy, ejectedByCount } = backend;
  if (ejectedByCount === 0) return <StatusWord kind="good" word="asked" />;
  const names = ejectedBy.slice(0, 5).map((id) => safeText(id, 40));
  const more = ejectedByCount > names.length ? ` and ${ejectedByCount - names.length} more` : "";
  return (
    <StatusWord kind="bad" word={`left out by ${names.join(", ")}${more}`} title="it failed, and is not asked now" />
  );
}

const columns: readonly Column<Backend>[] = [
  {
    key: "backend",
    label: "backend",
    cell: (row) =>
      isAgent(row) ? (
        <a href={`/agents/${encodeURIComponent(row.backend)}`}>{safeText(row.backend, 80)}</a>
      ) : (
        safeText(row.backend, 80)
      ),
  },
  { key: "kind", label: "kind", isMinor: true, cell: ({ kind }) => safeText(kind, 40) },
  { key: "requests", label: "requests", isNumber: true, cell: ({ requests }) => formatNumber(requests, 6) },
  {
    key: "share",
    label: "share",
    isNumber: true,
    cell: ({ share }) => (
      <span>
        <progress value={share} max={1} aria-hidden="true" /> {quantityText(formatShare(share))}
      </span>
    ),
  },
  {
    key: "usdPerRequest",
    label: "price of a million",
    isNumber: true,
    cell: ({ usdPerRequest }) => perMillion(usdPerRequest).value,
  },
  {
    key: "even",
    label: "against an even mix",
    isNumber: true,
    isSortable: false,
    isMinor: true,
    title: "each request's price averaged over all backends that could have been asked",
    cell: ({ usdPerRequest, evenUsdPerRequest }) => againstEven(usdPerRequest, evenUsdPerRequest),
  },
  {
    key: "hopMs",
    label: "hop",
    isNumber: true,
    cell: ({ hopMs }) => (hopMs === null ? "–" : quantityText(formatDuration(hopMs))),
  },
  {
    key: "reasons",
    label: "why",
    isSortable: false,
    isLong: true,
    cell: ({ reasons }) => (
      <div>
        {reasons.map(({ rule, means, requests }) => (
          <div key={rule}>
            {formatNumber(requests, 6)} {safeText(rule, 40)}
            {means === null ? null : <span class="muted"> {means}</span>}
          </div>
        ))}
      </div>
    ),
  },
  { key: "ejectedByCount", label: "state", cell: (row) => <Ejected backend={row} /> },
];

const sortKeys = ["backend", "kind", "requests", "share", "usdPerRequest", "hopMs", "ejectedByCount"] as const;

function sortOf(text: string | null): Sort {
  const key = sortKeys.find((each) => each === text?.replace(/^-/, ""));
  if (text === null || key === undefined) return { key: "requests", direction: "descending" };
  return { key, direction: text.startsWith("-") ? "descending" : "ascending" };
}

function sorted(rows: readonly Backend[], { key, direction }: Sort): Backend[] {
  const sign = direction === "ascending" ? 1 : -1;
  const cellOf = (row: Backend) => row[key as (typeof sortKeys)[number]];
  return rows.toSorted((one, other) => {
    const [a, b] = [cellOf(one), cellOf(other)];
    // What is not known comes last, however it is sorted.
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    return sign * (typeof a === "string" ? a.localeCompare(String(b)) : a - Number(b));
  });
}

function Overview({ routes }: { readonly routes: Routes }) {
  const { requests, refused, retries, hedges, usdPerRequest, evenUsdPerRequest, newestMinuteMs } = routes;
  const asOf = { asOfMs: newestMinuteMs === null ? null : newestMinuteMs + 60_000 };
  const count = (value: number) => ({ value: formatNumber(value, 6), unit: "" });
  return (
    <Figures label={`Requests with a choice, last ${routes.minutes} minutes`}>
      <Figure label="answered" quantity={count(requests)} {...asOf}>
        last {routes.minutes} minutes
      </Figure>
      <Figure label="refused" quantity={count(refused)} {...asOf} {...(refused > 0 ? { tone: "warn" as const } : {})}>
        {routes.refusals.map(({ rule, means, requests: each }) => (
          <span key={rule}>
            {formatNumber(each, 6)}: {means ?? safeText(rule, 40)}{" "}
          </span>
        ))}
      </Figure>
      <Figure label="price of a million" quantity={perMillion(usdPerRequest)} {...asOf}>
        {againstEven(usdPerRequest, evenUsdPerRequest)}
      </Figure>
      <Figure label="on an even mix" quantity={perMillion(evenUsdPerRequest)} {...asOf}>
        all that could be asked, evenly
      </Figure>
      <Figure label="retries" quantity={count(retries)} {...asOf} />
      <Figure label="hedges" quantity={count(hedges)} {...asOf} />
      <Figure label="agents that chose" quantity={count(routes.routers)} {...asOf} />
    </Figures>
  );
}

/** Page of who answered the fleet's requests and why, at what price, and which backends are left out. */
export function RoutesPage() {
  const agent = query.value.get("agent");
  const path = `/api/v1/routes${agent === null ? "" : `?agent=${encodeURIComponent(agent)}`}`;
  const { value: routes, refusal } = usePolled(path, periodMs, (signal) => getJson<Routes>(path, signal));
  const sort = sortOf(query.value.get("sort"));
  const from = Math.max(0, Number.parseInt(query.value.get("from") ?? "0", 10) || 0);
  const rows = routes === null ? [] : sorted(routes.backends, sort);
  return (
    <>
      <div class="title">
        <h1>Routes</h1>
        <span class="muted">
          {agent === null ? "requests of all agents" : <>requests that {safeText(agent, 80)} took in</>}
          {routes?.newestMinuteMs == null ? "" : `; newest minute ${timeText(routes.newestMinuteMs, "minute")}`}
        </span>
        {agent === null ? null : (
          <>
            <a href="/routes">all agents</a>
            <a href={`/agents/${encodeURIComponent(agent)}`}>the agent</a>
          </>
        )}
      </div>
      {refusal === null ? null : <p class="note warn">▲ {safeText(refusal.message)}</p>}
      {routes === null ? null : <Overview routes={routes} />}
      <section class="card" aria-label="Backends">
        <h2>Backends</h2>
        <Table
          caption="Backends, with requests of the last 5 minutes"
          columns={columns}
          rows={rows.slice(from, from + rowsPerPage)}
          rowKey={({ backend }) => backend}
          total={rows.length}
          from={from}
          onPage={(next) => setQuery({ from: next === 0 ? null : String(next) })}
          sort={sort}
          onSort={({ key, direction }) =>
            setQuery({ sort: `${direction === "descending" ? "-" : ""}${key}`, from: null })
          }
          empty={
            routes === null ? (
              "loading"
            ) : (
              <>
                No agent had a choice: requests are answered where they come in. Agents pass requests on when they know
                others that serve the same model, by <code>mesh.forward</code>.
              </>
            )
          }
        />
      </section>
    </>
  );
}
