import type { ComponentChildren } from "preact";
import { formatDuration, formatNumber, formatRate, formatWatts, quantityText } from "#platform/page/format.ts";
import { safeHref, safeText } from "#platform/page/safe-text.ts";
import { type Column, Table } from "#platform/page/table.tsx";
import { timeText } from "#platform/page/time-zone.ts";
import type { AgentDetail } from "./agent-data.ts";

type Mode = NonNullable<AgentDetail["birth"]>["board"]["powerModes"][number];

const modeColumns: readonly Column<Mode>[] = [
  { key: "name", label: "power mode", cell: ({ name }) => safeText(name) },
  {
    key: "capacity",
    label: "carries",
    isNumber: true,
    cell: ({ capacityQps }) => quantityText(formatRate(capacityQps)),
  },
  { key: "idle", label: "idle", isNumber: true, cell: ({ idleWatts }) => quantityText(formatWatts(idleWatts)) },
  { key: "busy", label: "busy", isNumber: true, cell: ({ busyWatts }) => quantityText(formatWatts(busyWatts)) },
];

const Pair = ({ name, children }: { readonly name: string; readonly children: ComponentChildren }) => (
  <>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </>
);

const orUnknown = (text: string | null | undefined) => (text == null || text === "" ? "–" : safeText(text));
const maxModels = 64;

/** Models, board, modes, and what else is known of an agent. */
export function AgentFacts({ agent }: { readonly agent: AgentDetail }) {
  const { birth, ingest, outbox, clockSkewMs, forecastAccuracy } = agent;
  const href = safeHref(agent.url);
  const tags = Object.entries(birth?.tags ?? {});
  const models = birth?.models.slice(0, maxModels) ?? [];
  const loaded = new Set(agent.models);
  return (
    <div class="columns">
      <section class="card" aria-label="Device">
        <h2>Device</h2>
        <dl class="pairs">
          <Pair name="address">
            {href === null ? (
              orUnknown(agent.url)
            ) : (
              <a href={href} rel="noreferrer">
                {safeText(agent.url ?? "")}
              </a>
            )}
          </Pair>
          <Pair name="region">{orUnknown(agent.region)}</Pair>
          <Pair name="version">{orUnknown(agent.version)}</Pair>
          <Pair name="board">{orUnknown(agent.board)}</Pair>
          <Pair name="present run">{orUnknown(agent.bootId)}</Pair>
          <Pair name="last heard">{timeText(agent.lastHeardMs, "full")}</Pair>
          {clockSkewMs === 0 ? null : (
            <Pair name="clock">
              ▲ {quantityText(formatDuration(Math.abs(clockSkewMs)))} {clockSkewMs > 0 ? "ahead" : "behind"}: times of
              its minutes are off by as much
            </Pair>
          )}
          <Pair name="outbox">
            {outbox === null
              ? "–"
              : `${formatNumber(outbox.records)} records wait${outbox.dropped === 0 ? "" : `, ${formatNumber(outbox.dropped)} were lost`}`}
          </Pair>
          <Pair name="forecast error">
            {forecastAccuracy?.wapePercent == null
              ? "–"
              : `${formatNumber(forecastAccuracy.wapePercent)} % in 24 hours`}
          </Pair>
          {ingest.refused + ingest.setAside + ingest.conflicts === 0 ? null : (
            <Pair name="messages not taken">
              ▲ {formatNumber(ingest.refused)} refused, {formatNumber(ingest.setAside)} implausible,{" "}
              {formatNumber(ingest.conflicts)} conflicting; {orUnknown(ingest.lastReason)}
            </Pair>
          )}
          {tags.map(([name, value]) => (
            <Pair name={safeText(name, 64)} key={name}>
              {safeText(value)}
            </Pair>
          ))}
        </dl>
      </section>
      <section class="card" aria-label="Models and power modes">
        <h2>Models</h2>
        {models.length === 0 && loaded.size === 0 ? <p class="muted">none is known</p> : null}
        <ul class="list">
          {models.map(({ id, dimension, revision }) => (
            <li key={id}>
              {safeText(id)}{" "}
              <span class="muted">
                {formatNumber(dimension)} numbers, revision {safeText(revision, 40)}
                {loaded.has(id) ? "" : ", not loaded now"}
              </span>
            </li>
          ))}
          {agent.models
            .filter((id) => !models.some((model) => model.id === id))
            .map((id) => (
              <li key={id}>{safeText(id)}</li>
            ))}
        </ul>
        <Table
          caption="Power modes"
          columns={modeColumns}
          rows={birth?.board.powerModes ?? []}
          rowKey={({ id }) => String(id)}
          empty="no power mode is known"
        />
        {(birth?.board.faults ?? []).map(({ fault, reason }) => (
          <p class="note warn" key={fault}>
            ▲ {safeText(reason)}
          </p>
        ))}
      </section>
    </div>
  );
}
