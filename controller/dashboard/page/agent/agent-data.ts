import type { Static } from "@sinclair/typebox";
import type { HistoryView } from "#controller/api/agents/history-routes.ts";
import type { DecisionList, AgentDetail as Detail } from "#controller/api/schemas.ts";
import type { ChartColor } from "#platform/page/chart-parts.tsx";
import type { TimelineSpan } from "#platform/page/picture/timeline.tsx";
import type { StatusKind } from "#platform/page/status-word.tsx";

export type AgentDetail = Static<typeof Detail>;
export type AgentHistory = Static<typeof HistoryView>;
export type Decision = Static<typeof DecisionList>["decisions"][number];

/** Word and shape of an agent's state. */
export function stateOf({ status, role }: Pick<AgentDetail, "status" | "role">): {
  readonly kind: StatusKind;
  readonly word: string;
} {
  if (status === "offline") return { kind: "off", word: "offline" };
  const present = role.reported ?? role.desired;
  if (present === "active") return { kind: "good", word: "serving" };
  if (present === "draining") return { kind: "busy", word: "draining" };
  return present === null ? { kind: "warn", word: "unknown" } : { kind: "idle", word: "standby" };
}

const modeColors: readonly ChartColor[] = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7"];
const roleWords = { active: "serving", standby: "standby", draining: "draining" } as const;

/** Names the stretches of a history; each power mode has a colour of its own, standby is grey. */
export function spansOf({ modes }: Pick<AgentHistory, "modes">): TimelineSpan[] {
  const known = [...new Set(modes.flatMap(({ powerMode }) => powerMode ?? []))].sort();
  return modes.map(({ fromMs, untilMs, role, powerMode }) => {
    const mode = powerMode ?? "mode unknown";
    const color = modeColors[known.indexOf(powerMode ?? "") % modeColors.length] ?? "--c1";
    return {
      ...{ fromMs, untilMs },
      label: role === "active" ? mode : `${roleWords[role]}, ${mode}`,
      color: role === "standby" || powerMode === null ? "--c-idle" : color,
    };
  });
}

/** Times of a chart with one step that is empty in each gap, so that no line crosses time without a record. */
export function withGaps<P extends { readonly startMs: number }>(
  points: readonly P[],
  stepMs: number,
): readonly { readonly startMs: number; readonly point: P | null }[] {
  return points.flatMap((point, index) => {
    const before = points[index - 1];
    const isAfterGap = before !== undefined && point.startMs - before.startMs > 1.5 * stepMs;
    const own = { startMs: point.startMs, point };
    return isAfterGap ? [{ startMs: before.startMs + stepMs, point: null }, own] : [own];
  });
}

/** The highest of the known values; null: none is known. */
export function highest(values: readonly (number | null | undefined)[]): number | null {
  let most: number | null = null;
  for (const value of values) if (value != null && (most === null || value > most)) most = value;
  return most;
}
