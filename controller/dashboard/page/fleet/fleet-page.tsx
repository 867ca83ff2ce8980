import { Figures } from "#platform/page/figure.tsx";
import { formatDuration, formatNumber, formatRate, quantityText } from "#platform/page/format.ts";
import { safeHref, safeText } from "#platform/page/safe-text.ts";
import { FleetActions } from "../acting/fleet-actions.tsx";
import { agentCount, fleet, type LiveFleet } from "../fleet-state.ts";
import { AgentList } from "./agent-list.tsx";
import { FigureTile } from "./figure-tile.tsx";
import { FleetAlerts } from "./fleet-alerts.tsx";
import { FiguresCard, TrafficCard, usePast } from "./fleet-charts.tsx";

/** Notes that change how everything else is to be read. */
function Notes({ view }: { readonly view: LiveFleet | null }) {
  if (view === null) return null;
  const { role, leader, brokerConnected } = view.controller;
  const href = safeHref(leader);
  return (
    <>
      {role === "standing by" ? (
        <p class="note">
          This controller stands by and only reads.{" "}
          {href === null ? (
            "Which one leads is not known."
          ) : (
            <>
              The leading one is <a href={href}>{safeText(href)}</a>.
            </>
          )}
        </p>
      ) : null}
      {brokerConnected ? null : (
        <p class="note warn">▲ The controller has no connection to its broker: it hears nothing of the agents.</p>
      )}
    </>
  );
}

function NowFigures({ view }: { readonly view: LiveFleet | null }) {
  const figures = view?.figures;
  const of = (name: keyof LiveFleet["figures"]) => figures?.[name]?.value ?? null;
  const refused = ["refusedQueuePerS", "refusedDeadlinePerS", "refusedErrorPerS"] as const;
  const lost = refused.some((name) => (of(name) ?? 0) > 0);
  const [queue, deadline] = [of("refusedQueuePerS"), of("refusedDeadlinePerS")];
  const turnedAway = queue === null && deadline === null ? null : (queue ?? 0) + (deadline ?? 0);
  const [rate, capacity, target, p95] = [of("textsPerS"), of("capacityTextsPerS"), of("p95TargetMs"), of("p95Ms")];
  const isOver = target !== null && p95 !== null && p95 > target;
  const isFull = rate !== null && capacity !== null && rate > capacity;
  const needed = of("needed");
  const lacks = needed !== null && (of("serving") ?? 0) < needed;
  return (
    <Figures label="The fleet now">
      <FigureTile name="serving" label="serving" tone={lacks ? "warn" : undefined}>
        {needed === null ? "" : `${needed} needed`}
      </FigureTile>
      <FigureTile name="standby" label="standby" />
      <FigureTile name="draining" label="draining" />
      <FigureTile name="offline" label="offline" tone={(of("offline") ?? 0) > 0 ? "warn" : undefined} />
      <FigureTile name="textsPerS" label="rate" tone={isFull ? "bad" : undefined}>
        of {quantityText(formatRate(capacity))}
      </FigureTile>
      <FigureTile name="forecastPeakTextsPerS" label="forecast peak">
        {of("forecastPeak95TextsPerS") === null
          ? ""
          : `95 %: ${quantityText(formatRate(of("forecastPeak95TextsPerS")))}`}
      </FigureTile>
      <FigureTile name="p95Ms" label="p95 latency" tone={isOver ? "bad" : undefined}>
        {target === null ? "no target" : `target ${quantityText(formatDuration(target))}`}
      </FigureTile>
      <FigureTile name="refusedErrorPerS" label="failed" tone={lost ? "bad" : undefined}>
        refused: {quantityText(formatRate(turnedAway, "/s"))}
      </FigureTile>
      <FigureTile name="watts" label="power">
        hottest {of("maxTemperatureC") === null ? "–" : `${Math.round(of("maxTemperatureC") ?? 0)} °C`}
      </FigureTile>
      <FigureTile name="usdPerHour" label="cost" />
    </Figures>
  );
}

/** Name of the fleet, the policy in force, and what an operator can do. */
function Head({ view }: { readonly view: LiveFleet | null }) {
  const policy = view?.policy ?? null;
  return (
    <div class="page-head">
      <h1>Fleet{view === null ? "" : ` ${safeText(view.fleet, 64)}`}</h1>
      {view === null ? null : (
        <span class="muted">
          {agentCount.value === null ? "" : `${formatNumber(agentCount.value, 9)} agents, `}
          {policy === null ? "no policy is configured" : <a href="/policy">policy {safeText(policy.name, 60)}</a>}
          {policy === null ? "" : `, ${policy.mode}`}
        </span>
      )}
      <FleetActions freeze={view?.freeze ?? null} />
      {policy?.problem ? <p class="note warn">▲ The policy's file is wrong: {safeText(policy.problem)}</p> : null}
    </div>
  );
}

/** The fleet: how many serve, what they do and cost, and what is coming. */
export function FleetPage() {
  const view = fleet.value;
  const past = usePast();
  return (
    <>
      <Notes view={view} />
      <Head view={view} />
      <NowFigures view={view} />
      <div class="wide-and-narrow">
        <div class="stack">
          <TrafficCard past={past} />
          <FiguresCard past={past} />
        </div>
        <FleetAlerts view={view} changes={past?.markers ?? []} />
      </div>
      <AgentList />
    </>
  );
}
