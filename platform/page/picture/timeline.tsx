import { useState } from "preact/hooks";
import type { ChartColor } from "../chart-parts.tsx";
import { safeText } from "../safe-text.ts";
import { timeText } from "../time-zone.ts";

/** Stretch of time with a name. */
export interface TimelineSpan {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly label: string;
  readonly color: ChartColor;
}

interface TimelineProps {
  readonly title: string;
  /** Sentence that says what it shows. */
  readonly finding: string;
  readonly spans: readonly TimelineSpan[];
  readonly span: readonly [fromMs: number, toMs: number];
}

/** Share of the width below which a stretch has no room for its name. */
const minNamedShare = 0.06;

const percent = (share: number) => `${Math.max(0, Math.min(100, 100 * share)).toFixed(3)}%`;

function SpanTable({ title, spans }: TimelineProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
    <section class="scroll chart-table" tabIndex={0} aria-label={`${title}, as a table`}>
      <table>
        <caption>{title}</caption>
        <thead>
          <tr>
            <th scope="col">from</th>
            <th scope="col">until</th>
            <th scope="col">state</th>
          </tr>
        </thead>
        <tbody>
          {spans
            .toReversed()
            .slice(0, 200)
            .map(({ fromMs, untilMs, label }) => (
              <tr key={fromMs}>
                <th scope="row">{timeText(fromMs, "day")}</th>
                <td>{timeText(untilMs, "day")}</td>
                <td>{safeText(label)}</td>
              </tr>
            ))}
        </tbody>
      </table>
    </section>
  );
}

/** Named stretches over time, in line with the charts below it. What is not covered is not known. */
export function Timeline(props: TimelineProps) {
  const { title, finding, spans, span } = props;
  const [asTable, setAsTable] = useState(false);
  const [fromMs, toMs] = span;
  const shareOf = (ms: number) => (ms - fromMs) / Math.max(1, toMs - fromMs);
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <span class="finding">{safeText(finding)}</span>
        <button type="button" class="quiet" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
          {asTable ? "show as chart" : "show as table"}
        </button>
      </figcaption>
      {asTable ? (
        <SpanTable {...props} />
      ) : (
        <div class="timeline" role="img" aria-label={`${title}: ${safeText(finding)}`}>
          {spans.map((each) => {
            const left = Math.max(0, shareOf(each.fromMs));
            const width = Math.min(1, shareOf(each.untilMs)) - left;
            if (width <= 0) return null;
            const text = safeText(each.label);
            const when = `${timeText(each.fromMs, "day")} to ${timeText(each.untilMs, "minute")}`;
            return (
              <span key={each.fromMs} style={{ left: percent(left), width: percent(width) }} title={`${text}, ${when}`}>
                <i class={`fill${each.color}`} />
                {width < minNamedShare ? "" : text}
              </span>
            );
          })}
        </div>
      )}
    </figure>
  );
}
