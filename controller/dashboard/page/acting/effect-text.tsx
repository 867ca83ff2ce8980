import type { EffectView } from "#controller/api/acting/read-effect.ts";
import { formatNumber, formatRate } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { timeText } from "#platform/page/time-zone.ts";

const rateText = (qps: number | null) => {
  const { value, unit } = formatRate(qps);
  return `${value} ${unit}`;
};

/** Effect of an order: in sentences, and before and after in figures. */
export function EffectText({ effect }: { readonly effect: EffectView }) {
  const { verdict, text, before, after, spare, liveQps, peak } = effect;
  const isBad = verdict === "short" || verdict === "none";
  const tone = isBad ? " bad" : verdict === "tight" ? " warn" : "";
  const shape = isBad ? "■ " : verdict === "tight" ? "▲ " : "";
  return (
    <section aria-label="Effect">
      <p class={`note${tone}`} data-effect={verdict}>
        {shape}
        {safeText(text, 2_000)}
      </p>
      <dl class="pairs">
        <dt>agents that serve</dt>
        <dd>
          {formatNumber(before.agents)} → {formatNumber(after.agents)}
        </dd>
        <dt>their capacity</dt>
        <dd>
          {rateText(before.capacityQps)} → {rateText(after.capacityQps)}
        </dd>
        <dt>traffic now</dt>
        <dd>{rateText(liveQps)}</dd>
        <dt>forecast peak</dt>
        <dd>{peak === null ? "–" : `${rateText(peak.qps)} (${peak.quantile}) at ${timeText(peak.atMs, "minute")}`}</dd>
        <dt>on standby besides</dt>
        <dd>
          {formatNumber(spare.agents)}, {rateText(spare.capacityQps)}
        </dd>
      </dl>
    </section>
  );
}
