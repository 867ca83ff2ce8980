import { signal } from "@preact/signals";
import type { AgentStatus } from "#agent/agent-status.ts";
import type { MeshStatus } from "#agent/mesh/mesh-routes.ts";
import { hiddenDetail } from "#agent/serving/hidden-detail.ts";
import type { ModelEntry } from "#agent/serving/http/health-report.ts";
import type { RecentMinute } from "#agent/traffic/recent-minutes.ts";
import { ApiError, getJson, loginNeeded } from "#platform/page/api-client.ts";
import { noteAway, noteLive } from "#platform/page/connection.ts";

export interface RecentMinutes {
  readonly nowMs: number;
  readonly minutes: readonly RecentMinute[];
}

/** The agent as it told last; null: not yet, or this user may not know. */
export const status = signal<AgentStatus | null>(null);
export const recent = signal<RecentMinutes | null>(null);
export const models = signal<readonly ModelEntry[] | null>(null);
export const mesh = signal<MeshStatus | null>(null);
/** Reason that the state is not told to this user's key; null: it is. */
export const stateRefusal = signal<string | null>(null);

const periodMs = 2_000;

async function load(): Promise<void> {
  try {
    const told = await getJson<AgentStatus>("/api/v1/status");
    status.value = told;
    stateRefusal.value = null;
    noteLive(told.nowMs);
    [recent.value, mesh.value] = await Promise.all([
      getJson<RecentMinutes>("/api/v1/minutes"),
      getJson<MeshStatus>("/api/v1/mesh"),
    ]);
    models.value = (await getJson<{ models: readonly ModelEntry[] }>("/models")).models;
  } catch (error) {
    if (error instanceof ApiError && [401, 403].includes(error.status)) forget(error);
    noteAway(error);
  }
}

/** Drops what an earlier key was told. */
function forget(error: ApiError): void {
  status.value = null;
  recent.value = null;
  models.value = null;
  mesh.value = null;
  // A tenant's key may make vectors, and see nothing of the agent.
  stateRefusal.value = error.status === 403 ? error.message : null;
}

/** True where a key is needed: without one, the open health report leaves its details out. Asking more would be refused. */
async function needsKey(): Promise<boolean> {
  const { details } = await getJson<{ readonly details: Readonly<Record<string, string>> }>("/health");
  return Object.values(details).every((each) => each === hiddenDetail);
}

/** Keeps the state fresh while the page is visible. */
export function followAgent(): void {
  let isKnown = false;
  const again = async () => {
    if (!isKnown)
      try {
        loginNeeded.value = await needsKey();
        isKnown = true;
      } catch (error) {
        noteAway(error);
      }
    if (!document.hidden && !loginNeeded.peek()) await load();
    setTimeout(() => void again(), periodMs);
  };
  void again();
}

/** Asks again at once, with the key that was typed. */
export const askAgain = (): Promise<void> => load();
