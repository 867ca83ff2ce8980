import { computed, effect, signal } from "@preact/signals";
import type { FleetView } from "#controller/api/schemas.ts";
import { loginNeeded } from "#platform/page/api-client.ts";
import { noteLive } from "#platform/page/connection.ts";
import { followStream, type StreamEvent } from "#platform/page/stream-client.ts";
import { path } from "#platform/page/url-state.ts";
import type { AgentRow } from "../agent-row.ts";
import type { FigureName } from "../figure.ts";

/** The fleet as the stream tells it. */
export type LiveFleet = Pick<
  FleetView,
  ("fleet" | "nowMs" | "controller" | "figures" | "forecast") | ("latestDecision" | "freeze" | "policy" | "alerts")
>;

interface Change {
  readonly nowMs: number;
  readonly view?: Partial<LiveFleet>;
  readonly figures?: Partial<LiveFleet["figures"]>;
  readonly rows?: readonly AgentRow[];
  readonly gone?: readonly string[];
}

/** The fleet as the controller told it last; null: not yet. */
export const fleet = signal<LiveFleet | null>(null);

/** Rows of the agents by id, only where a page shows them. They change in place: {@link rowsVersion} tells when. */
export const rows = new Map<string, AgentRow>();
export const rowsVersion = signal(0);
/** Changes when agents come or go. */
export let idsVersion = 0;

/** Names of what an agent can do, by their number in its row. */
export let conditions: readonly string[] = [];

/** Number of agents by the fleet's own figures; null: not known yet. */
export const agentCount = computed(() => {
  const figures = fleet.value?.figures;
  if (figures === undefined) return null;
  const names: readonly FigureName[] = ["serving", "standby", "draining", "offline"];
  return names.reduce((sum, name) => sum + (figures[name]?.value ?? 0), 0);
});

/** True: rows have come that nothing has been told of. */
let hasNewRows = false;

/** Parts that have come since the snapshot, which are not the whole yet. */
let coming: Partial<LiveFleet> = {};

function takeChange({ nowMs, view, figures, rows: changed = [], gone = [] }: Change, isWhole: boolean): void {
  coming = { ...coming, ...view, nowMs, figures: { ...coming.figures, ...figures } as LiveFleet["figures"] };
  // The first piece of a change has all figures and sections.
  if (coming.fleet !== undefined) fleet.value = coming as LiveFleet;
  const before = rows.size;
  for (const row of changed) rows.set(row[0], row);
  if (rows.size > before || gone.length > 0) idsVersion += 1;
  for (const id of gone) rows.delete(id);
  hasNewRows ||= changed.length + gone.length > 0;
  // A large fleet comes in many pieces: what shows the rows is drawn once.
  if (hasNewRows && isWhole) {
    hasNewRows = false;
    rowsVersion.value += 1;
  }
  noteLive(nowMs);
}

function takeEvent({ event, data, id }: StreamEvent): void {
  if (event === "snapshot") {
    coming = {};
    ({ conditions } = JSON.parse(data) as { conditions: readonly string[] });
    rows.clear();
    idsVersion += 1;
    rowsVersion.value += 1;
  } else if (event === "change") takeChange(JSON.parse(data) as Change, id !== "");
  else if (event === "end" && !(JSON.parse(data) as { again: boolean }).again) loginNeeded.value = true;
}

/** Follows the fleet for as long as the page is open, with the agents' rows where the page shows them. */
export function followFleet(): void {
  const withRows = computed(() => path.value === "/" || path.value === "/agents");
  effect(() => {
    const url = `/api/v1/fleet/stream${withRows.value ? "" : "?agents=none"}`;
    return followStream({ url, onEvent: takeEvent });
  });
}
