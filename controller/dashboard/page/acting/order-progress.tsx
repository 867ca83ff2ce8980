import type { AgentView } from "#controller/api/schemas.ts";
import { getJson } from "#platform/page/api-client.ts";
import { formatNumber } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { StatusWord } from "#platform/page/status-word.tsx";
import { usePolled } from "#platform/page/use-polled.ts";
import type { ToldAgent } from "./send-order.ts";

/** An agent that was told something, and what it has reported since. */
interface ToldState {
  readonly agentId: string;
  readonly desiredVersion: number | null;
  readonly reportedVersion: number | null;
  readonly isReached: boolean;
  readonly waitsFor: string | null;
}

type LoadStates = (signal: AbortSignal) => Promise<readonly ToldState[]>;

const periodMs = 1_000;
const maxShown = 8;

/** Agents under an override: they have reached it when they report role and power mode. */
const loadOverridden: LoadStates = async (signal) =>
  (await getJson<{ overrides: readonly ToldState[] }>("/api/v1/overrides", signal)).overrides;

/** An agent whose override has ended: it is told what the controller wants again, and reports that it follows. */
async function loadEnded({ agentId, version }: ToldAgent, signal: AbortSignal): Promise<ToldState> {
  const path = `/api/v1/agents/${encodeURIComponent(agentId)}`;
  const { status, reportedVersion } = await getJson<AgentView>(path, signal);
  const isReached = version === null || (reportedVersion ?? 0) >= version;
  const waitsFor = status === "offline" ? "it is offline, and will be told when it is back" : "it has not answered yet";
  return { agentId, desiredVersion: version, reportedVersion, isReached, waitsFor: isReached ? null : waitsFor };
}

interface ProgressProps {
  readonly agents: readonly ToldAgent[];
  /** True: their overrides have ended. False: they have begun. */
  readonly isEnd: boolean;
}

/** Progress of an order: what was told beside what the agents report, until all have reached it. */
export function OrderProgress({ agents, isEnd }: ProgressProps) {
  const shownAgents = isEnd ? agents.slice(0, maxShown) : agents;
  const load: LoadStates = isEnd
    ? (signal) => Promise.all(shownAgents.map((agent) => loadEnded(agent, signal)))
    : loadOverridden;
  const polled = usePolled(`told ${isEnd}`, periodMs, load);
  const wanted = new Set(shownAgents.map(({ agentId }) => agentId));
  const states = (polled.value ?? []).filter(({ agentId }) => wanted.has(agentId));
  const reached = states.filter(({ isReached }) => isReached).length;
  const waiting = states.filter(({ isReached }) => !isReached);
  const isDone = polled.value !== null && waiting.length === 0;
  const [some, all] = [formatNumber(reached, 9), formatNumber(wanted.size, 9)];
  return (
    <section aria-label="Progress">
      <p role="status">
        {isDone ? (
          <StatusWord kind="good" word={`reported by ${some} of ${all}`} />
        ) : (
          <StatusWord kind="busy" word={`${some} of ${all} have reported it`} />
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
