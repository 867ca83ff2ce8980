import type { ChartMarker } from "#platform/page/chart-parts.tsx";
import { formatNumber } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { StatusWord } from "#platform/page/status-word.tsx";
import { timeText } from "#platform/page/time-zone.ts";
import type { LiveFleet } from "../fleet-state.ts";

type Alert = LiveFleet["alerts"][number];

const kindOf = ({ severity, status, silenced }: Alert) =>
  silenced || status === "pending" ? ("idle" as const) : severity === "critical" ? ("bad" as const) : ("warn" as const);

const wordOf = ({ severity, status, silenced }: Alert) =>
  `${severity}${silenced ? ", silenced" : status === "pending" ? ", pending" : ""}`;

const maxChanges = 5;

interface FleetAlertsProps {
  readonly view: LiveFleet | null;
  /** Decisions that changed something, oldest first. */
  readonly changes: readonly ChartMarker[];
}

/** Alerts that are on, and what was decided. */
export function FleetAlerts({ view, changes }: FleetAlertsProps) {
  const alerts = view?.alerts ?? [];
  const decision = view?.latestDecision ?? null;
  const isCritical = alerts.some(({ severity, status }) => severity === "critical" && status === "firing");
  const firing = view?.figures.alertsFiring.value ?? 0;
  return (
    <section class="card" aria-label="Alerts and the newest decision">
      <h2>
        Alerts{" "}
        {firing > 0 ? (
          <StatusWord kind={isCritical ? "bad" : "warn"} word={`${formatNumber(firing, 9)} firing`} />
        ) : null}
      </h2>
      {alerts.length === 0 ? (
        <p class="muted">{view === null ? "–" : "No alert is firing."}</p>
      ) : (
        <ul class="alerts">
          {alerts.map((alert) => (
            <li key={alert.key}>
              <StatusWord kind={kindOf(alert)} word={wordOf(alert)} /> <b>{safeText(alert.summary)}</b>
              <span class="muted">
                {" "}
                {safeText(alert.text).replace(/\.?$/, ".")} Since {timeText(alert.sinceMs, "day")}.
              </span>
            </li>
          ))}
        </ul>
      )}
      <h2>Newest decision</h2>
      {decision === null ? (
        <p class="muted">None yet.</p>
      ) : (
        <p>
          <a href="/decisions">{decision.kind}</a>{" "}
          <span class="muted">
            by {safeText(decision.rule)} at {timeText(decision.atMs, "second")}
          </span>
          <br />
          {safeText(decision.reason, 400)}
        </p>
      )}
      {changes.length === 0 ? null : (
        <>
          <h2>Newest changes</h2>
          <ul class="alerts">
            {changes
              .slice(-maxChanges)
              .toReversed()
              .map(({ atMs, label, href }) => (
                <li key={href}>
                  <span class="muted">{timeText(atMs, "minute")}</span> <a href={href}>{safeText(label, 60)}</a>
                </li>
              ))}
          </ul>
        </>
      )}
    </section>
  );
}
