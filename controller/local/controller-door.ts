import { Elysia } from "elysia";
import { createHttpApp } from "#platform/http/create-http-app.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { type LocalApi, openLocalApi } from "#platform/http/local-api.ts";
import { type LogEvent, type Logger, newestEvents } from "#platform/log.ts";
import { version } from "#platform/version.ts";
import type { ApiParts } from "../api/api-parts.ts";
import { fleetRoutes } from "../api/fleet-routes.ts";
import { agentListRoutes } from "../dashboard/agent-list-routes.ts";
import type { AgentState } from "../fleet/agent-state.ts";

/** Name of the socket in the controller's state directory. */
export const controllerDoorName = "controller.socket";
/** Path of what only the socket tells. */
export const localPath = "/local";

/** State of the controller beyond what its API says of the fleet. */
export interface ControllerLocalView {
  /** Address of its API. */
  readonly url: string;
  /** Address of the fleet's broker; null: it has none yet. */
  readonly brokerUrl: string | null;
  /** Problems, as in its /healthz. */
  readonly problems: readonly string[];
  /** Models that online agents have loaded, with the number of these agents, the most frequent first. */
  readonly models: readonly (readonly [name: string, agents: number])[];
  /** Power modes of online agents, as the models. */
  readonly modes: readonly (readonly [name: string, agents: number])[];
  /** Records that wait at the agents, by their newest minutes. */
  readonly waitingRecords: number;
  /** Newest lines of the log, the oldest first. */
  readonly events: readonly LogEvent[];
}

/** Counts names, the most frequent first. */
function countNames(names: readonly string[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([a, many], [b, more]) => more - many || a.localeCompare(b));
}

/** Sums up what online agents say of themselves. */
export function summarizeAgents(agents: readonly AgentState[]) {
  const online = agents.filter(({ presence }) => presence?.status === "online");
  return {
    models: countNames(online.flatMap(({ birth }) => birth?.models.map(({ id }) => id) ?? [])),
    modes: countNames(online.flatMap(({ reported }) => reported?.powerMode ?? [])),
    waitingRecords: online.reduce((sum, { recent }) => sum + (recent.at(-1)?.outbox?.records ?? 0), 0),
  };
}

export interface ControllerDoorParts {
  readonly path: string;
  readonly api: ApiParts;
  readonly about: () => Pick<ControllerLocalView, "url" | "brokerUrl" | "problems">;
  readonly log: Logger;
}

/** Opens the socket by which `thormesh status` shows the fleet on the controller's machine without a key. */
export function openControllerDoor({ path, api, about, log }: ControllerDoorParts): LocalApi {
  const view = (): ControllerLocalView => ({
    ...about(),
    ...summarizeAgents(api.fleet.agents()),
    events: newestEvents(),
  });
  const app = createHttpApp({
    about: {
      title: "thormesh controller, on its own machine",
      description: "What may be read without a key.",
      version,
    },
    authenticator: createAuthenticator({ apiKeys: [], log }),
    log,
    routes: [fleetRoutes(api), agentListRoutes(api), new Elysia().get(localPath, view)],
  });
  return openLocalApi({ path, app, paths: new Set(["/api/v1/fleet", "/api/v1/agents", localPath]), log });
}
