import type { ComponentChildren } from "preact";
import { connection } from "./connection.ts";
import { formatDuration, formatNumber, type Quantity, unknown } from "./format.ts";
import { timeText } from "./time-zone.ts";

interface FigureProps {
  readonly label: string;
  readonly quantity: Quantity;
  /** Time by which the value was true; undefined: the newest live data. */
  readonly asOfMs?: number | null;
  /** True: the value is older than it should be. Undefined: it is if the connection is lost. */
  readonly stale?: boolean;
  /** Explanation for a tooltip and for screen readers. */
  readonly hint?: string;
  /** Status of the value beside others: `bad` and `warn` also get a shape. */
  readonly tone?: "good" | "warn" | "bad";
  /** Lines below the value, e.g. its limit. */
  readonly children?: ComponentChildren;
}

const shapes = { good: "", warn: "▲ ", bad: "■ " } as const;

/** A value with its unit and time. Unknown is "–"; a stale value is greyed and dated. */
export function Figure({ label, quantity, asOfMs, stale, hint, tone, children }: FigureProps) {
  const atMs = asOfMs === undefined ? connection.value.asOfMs : asOfMs;
  const isStale = stale ?? connection.value.state === "away";
  const isUnknown = quantity.value === unknown;
  return (
    <div class={`figure${isStale ? " stale" : ""}${tone === undefined ? "" : ` tone-${tone}`}`} title={hint}>
      <dt>{label}</dt>
      <dd>
        <span class="value" title={isUnknown ? "not known" : `as of ${timeText(atMs, "full")}`}>
          {tone === undefined ? "" : shapes[tone]}
          {quantity.value}
          {isUnknown ? <span class="hidden">not known</span> : null}
        </span>
        {quantity.unit === "" ? null : <span class="unit"> {quantity.unit}</span>}
        {isStale && atMs !== null ? <span class="as-of">as of {timeText(atMs, "second")}</span> : null}
        {children === undefined ? null : <span class="below">{children}</span>}
      </dd>
    </div>
  );
}

/** Figures side by side. */
export const Figures = ({ label, children }: { readonly label: string; readonly children: ComponentChildren }) => (
  <dl class="figures" aria-label={label}>
    {children}
  </dl>
);

interface FailedProps extends Pick<FigureProps, "asOfMs" | "stale"> {
  /** Requests of the last minute; null: not known. */
  readonly count: number | null;
}

/** Requests of an agent's last minute that failed or were refused. */
export const FailedFigure = ({ count, ...rest }: FailedProps) => (
  <Figure
    label="failed or refused"
    quantity={{ value: formatNumber(count), unit: "" }}
    {...rest}
    {...(count !== null && count > 0 ? { tone: "warn" as const } : {})}
  >
    last minute
  </Figure>
);

/** Reason that an agent at work may have no latency of its own. */
export const measuredByPeers = "it works for other agents, which measure the latency";

interface LatencyProps extends Pick<FigureProps, "asOfMs" | "stale"> {
  /** Null: no request entered at this agent. */
  readonly p95Ms: number | null;
  /** True: it computed something in that time. */
  readonly isAtWork: boolean;
  /** Time that it is of, in words. */
  readonly of: string;
}

/** Latency of an agent's requests. */
export const LatencyFigure = ({ p95Ms, isAtWork, of, ...rest }: LatencyProps) => (
  <Figure label="p95 latency" quantity={formatDuration(p95Ms)} {...rest}>
    {p95Ms === null && isAtWork ? measuredByPeers : of}
  </Figure>
);
