import type { AgentStatus } from "#agent/agent-status.ts";
import { connection } from "#platform/page/connection.ts";
import { FailedFigure, Figure, Figures, LatencyFigure } from "#platform/page/figure.tsx";
import { formatDuration, formatNumber, formatRate, formatWatts, quantityText } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { type StatusKind, StatusWord } from "#platform/page/status-word.tsx";
import { timeText } from "#platform/page/time-zone.ts";
import { mesh, models, recent, stateRefusal, status } from "./agent-state.ts";
import { OwnCharts } from "./own-charts.tsx";
import { TryText } from "./try-text.tsx";

const roleKinds: Readonly<Record<AgentStatus["role"]["role"], { kind: StatusKind; word: string }>> = {
  active: { kind: "good", word: "serving" },
  standby: { kind: "idle", word: "standby" },
  draining: { kind: "busy", word: "draining" },
};

const count = (value: number | null | undefined, unit = "") => ({ value: formatNumber(value), unit });

/** Fields of a decision about the power mode that every board's decision has. */
interface ModeDecision {
  readonly reason?: string;
}

function NowFigures({ told }: { readonly told: AgentStatus }) {
  const minute = recent.value?.minutes.at(-1);
  const ofMinute = { asOfMs: minute === undefined ? connection.value.asOfMs : minute.minuteStartMs + 60_000 };
  const { power, outbox, forecast, capacity } = told;
  const { sample } = power;
  const watts = sample?.inputPowerMw == null ? minute?.watts : sample.inputPowerMw / 1000;
  const peak = forecast === null ? null : (forecast.peakQps?.q50 ?? Math.max(...forecast.qps));
  const failed = minute === undefined ? null : minute.errors + minute.rejected;
  return (
    <Figures label="This agent now">
      <Figure label="rate" quantity={formatRate(told.liveQps)} />
      <Figure label="capacity" quantity={formatRate(capacity[0]?.qps)} hint="of the main model in the present mode" />
      <Figure
        label="forecast peak"
        quantity={formatRate(peak)}
        {...(forecast === null ? {} : { asOfMs: forecast.madeAtMs })}
      >
        next 15 minutes
      </Figure>
      <LatencyFigure
        p95Ms={minute?.p95LatencyMs ?? null}
        isAtWork={(minute?.workQps ?? 0) > 0}
        of="last minute"
        {...ofMinute}
      />
      <FailedFigure count={failed} {...ofMinute} />
      <Figure label="power" quantity={formatWatts(watts)} />
      <Figure label="temperature" quantity={count(sample?.junctionTemperatureC ?? minute?.maxTemperatureC, "°C")} />
      <Figure label="power mode" quantity={{ value: safeText(power.mode ?? "–", 40), unit: "" }} />
      <Figure label="outbox" quantity={count(outbox.entries, "records")}>
        {outbox.droppedRecords === 0 ? undefined : `${formatNumber(outbox.droppedRecords)} were lost`}
      </Figure>
    </Figures>
  );
}

/** Reasons for what the agent does, and what is wrong. */
function Reasons({ told }: { readonly told: AgentStatus }) {
  const { role, power, broker, storage, forecaster } = told;
  const decision = power.lastDecision as ModeDecision | null;
  const problems = [
    ...power.faults.map(({ reason }) => reason),
    ...(power.leftAlone === null ? [] : [`the board is left alone: ${power.leftAlone}`]),
    ...(broker.problem === null ? [] : [`broker: ${broker.problem}`]),
    ...broker.refused.map(({ action, topic, reason }) => `the broker refuses to ${action} ${topic}: ${reason}`),
    ...(storage.failing === null
      ? []
      : [`the disk fails since ${timeText(storage.failing.sinceMs, "day")}: ${storage.failing.reason}`]),
  ];
  return (
    <section class="card" aria-label="Why, and connections">
      <h2>Why</h2>
      <dl class="pairs">
        <dt>role</dt>
        <dd>
          {role.role}: {safeText(role.reason)}
        </dd>
        <dt>power mode</dt>
        <dd>{decision?.reason === undefined ? "no choice has been made yet" : safeText(decision.reason)}</dd>
        <dt>forecaster</dt>
        <dd>
          {safeText(forecaster.model)}: {safeText(forecaster.reason)}
        </dd>
        <dt>broker</dt>
        <dd>
          {broker.connected ? (
            <StatusWord kind="good" word="connected" />
          ) : (
            <StatusWord kind="bad" word="not connected" />
          )}{" "}
          <span class="muted">{safeText(broker.url)}</span>
        </dd>
        <dt>controller</dt>
        <dd>
          {told.controllerOnline ? (
            <StatusWord kind="good" word="online" />
          ) : (
            <StatusWord kind="warn" word="not heard from" />
          )}
        </dd>
        <dt>other agents</dt>
        <dd>{told.peers.length === 0 ? "none serves" : `${formatNumber(told.peers.length)} serve`}</dd>
        <dt>running since</dt>
        <dd>{timeText(told.startedAtMs, "full")}</dd>
      </dl>
      {problems.map((problem) => (
        <p class="note warn" key={problem}>
          ▲ {safeText(problem)}
        </p>
      ))}
    </section>
  );
}

const modelKinds = { loaded: "good", available: "idle", loading: "busy" } as const;

function Models() {
  const list = models.value;
  return (
    <section class="card" aria-label="Models">
      <h2>Models</h2>
      {list === null ? <p class="muted">loading</p> : null}
      {list?.length === 0 ? <p class="muted">It has no model, and passes requests on.</p> : null}
      <ul class="list">
        {list?.map(({ id, status: state, dimension, memory_mb, latency_p95_ms, execution_provider, problem }) => (
          <li key={id}>
            {safeText(id)} <StatusWord kind={problem === null ? modelKinds[state] : "warn"} word={state} />
            <div class="muted">
              {formatNumber(dimension, 6)} numbers
              {memory_mb === null ? "" : `, ${formatNumber(memory_mb, 6)} MB`}
              {latency_p95_ms === null ? "" : `, p95 ${quantityText(formatDuration(latency_p95_ms))}`}
              {execution_provider === null ? "" : `, ${safeText(execution_provider)}`}
            </div>
            {problem === null ? null : <p class="note warn">▲ {safeText(problem)}</p>}
          </li>
        ))}
      </ul>
    </section>
  );
}

const maxRoutes = 10;

function Routes() {
  const routes = mesh.value?.routes ?? [];
  if (routes.length === 0) return null;
  return (
    <section class="card" aria-label="Newest routes">
      <h2>Newest routes</h2>
      <ul class="list">
        {routes.slice(0, maxRoutes).map(({ atMs, model, attempts, reason }, index) => (
          <li key={`${atMs} ${index}`}>
            <time>{timeText(atMs, "second")}</time> {safeText(model, 60)}
            {attempts > 1 ? ` (${attempts} attempts)` : ""}: {safeText(reason)}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The agent's own page: what it serves and why, its last hour, its connections, and a box to try a text. */
export function OwnPage() {
  const told = status.value;
  return (
    <>
      <div class="title">
        <h1>{told === null ? "thormesh agent" : safeText(told.agentId)}</h1>
        {told === null ? null : <StatusWord {...roleKinds[told.role.role]} />}
        {told === null ? null : (
          <span class="muted">{safeText([told.fleet, told.power.name, told.version].filter(Boolean).join(" · "))}</span>
        )}
      </div>
      {stateRefusal.value === null ? null : (
        <p class="note">
          This key may make vectors, and see nothing of the agent's state: {safeText(stateRefusal.value)}.
        </p>
      )}
      {told === null ? null : <NowFigures told={told} />}
      {told === null || recent.value === null ? null : <OwnCharts recent={recent.value} status={told} />}
      <div class="columns">
        <TryText />
        {told === null ? null : <Reasons told={told} />}
      </div>
      {told === null ? null : (
        <div class="columns">
          <Models />
          <Routes />
        </div>
      )}
    </>
  );
}
