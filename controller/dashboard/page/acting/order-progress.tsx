import { getJson } from "#platform/page/api-client.ts";
import { formatNumber } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { StatusWord } from "#platform/page/status-word.tsx";
import { usePolled } from "#platform/page/use-polled.ts";

interface OverrideList {
  readonly overrides: readonly {
    readonly agentId: string;
    readonly desiredVersion: number | null;
    readonly reportedVersion: number | null;
    readonly isReached: boolean;
    readonly waitsFor: string | null;
  }[];
}

const periodMs = 1_000;
const maxShown = 8;

/** Progress of overrides that were given: what is desired beside what the agents report, until all have reached it. */
export function OrderProgress({ agentIds }: { readonly agentIds: readonly string[] }) {
  const polled = usePolled("overrides", periodMs, (signal) => getJson<OverrideList>("/api/v1/overrides", signal));
  const wanted = new Set(agentIds);
  const states = (polled.value?.overrides ?? []).filter(({ agentId }) => wanted.has(agentId));
  const reached = states.filter(({ isReached }) => isReached).length;
  const waiting = states.filter(({ isReached }) => !isReached);
  const isDone = polled.value !== null && waiting.length === 0;
  return (
    <section aria-label="Progress">
      <p role="status">
        {isDone ? (
          <StatusWord kind="good" word={`reported by ${formatNumber(reached)} of ${formatNumber(wanted.size)}`} />
        ) : (
          <StatusWord kind="busy" word={`${formatNumber(reached)} of ${formatNumber(wanted.size)} have reported it`} />
        )}{" "}
        <progress max={wanted.size} value={reached} aria-label="Agents that have reported it" />
      </p>
      <ul class="list">
        {waiting.slice(0, maxShown).map(({ agentId, desiredVersion, reportedVersion, waitsFor }) => (
          <li key={agentId}>
            <b>{safeText(agentId, 64)}</b>: {safeText(waitsFor ?? "")}{" "}
            <span class="muted">
              (told version {desiredVersion ?? "–"}, reports {reportedVersion ?? "–"})
            </span>
          </li>
        ))}
        {waiting.length > maxShown ? <li>and {formatNumber(waiting.length - maxShown)} more</li> : null}
      </ul>
    </section>
  );
}
