import type { Static } from "@sinclair/typebox";
import type { AgentList, AgentView, FleetView } from "#controller/api/schemas.ts";
import { type ControllerLocalView, localPath } from "#controller/local/controller-door.ts";
import { UsageError } from "#platform/errors.ts";
import { type Command, type OptionValues, optionalNumber, optionalString } from "#platform/terminal/command.ts";
import { secondMs } from "#platform/time.ts";
import { apiKeysFromEnvironment } from "../run/api-keys-from-environment.ts";
import { askController, controllerUrlOption } from "../run/ask-controller.ts";
import { untilStopped } from "../run/until-stopped.ts";
import { agentTable } from "./agent-lines.ts";
import { askControllerDoor, findControllerDoor } from "./ask-controller-door.ts";
import { askDevice, hasController } from "./ask-device.ts";
import { controllerEvents, controllerLines } from "./controller-lines.ts";
import { deviceToText } from "./device-lines.ts";
import { fleetLines, lineText } from "./fleet-lines.ts";
import { watchFleet } from "./watch-fleet.ts";

type List = Static<typeof AgentList>;

const everyMs = 2 * secondMs;

/** Shows the controller, the fleet's figures and its agents in a table. @param local what the controller's own machine is told; null: it was asked from elsewhere */
export function statusToText(
  fleet: FleetView,
  agents: readonly AgentView[],
  local: ControllerLocalView | null = null,
): string {
  const lines = [
    ...fleetLines(fleet),
    ...controllerLines(fleet, local),
    ...(local === null ? [] : controllerEvents(local)),
  ];
  return [...lines.map(lineText), "", agentTable(agents)].join("\n");
}

function agentsPath(values: OptionValues, limit: number | undefined): string {
  const query = new URLSearchParams();
  for (const name of ["filter", "sort"]) {
    const value = optionalString(values, name);
    if (value !== undefined) query.set(name, value);
  }
  if (limit !== undefined) query.set("limit", String(limit));
  return query.size === 0 ? "/api/v1/agents" : `/api/v1/agents?${query}`;
}

/** Asks the controller of this machine by its socket; null: none runs here, or another one is meant. */
async function askHere(values: OptionValues, limit: number | undefined) {
  if ("url" in values) return null;
  const door = findControllerDoor();
  if (door.kind === "refused" && apiKeysFromEnvironment(process.env) === undefined)
    throw new Error(
      `${door.path}: the controller of this machine answers its own user and root without a key: sudo thormesh status (or --url URL, with the key in THORMESH_API_KEY)`,
    );
  if (door.kind !== "found") return null;
  const [view, list, local] = await Promise.all(
    ["/api/v1/fleet", agentsPath(values, limit), localPath].map((path) => askControllerDoor(door.path, path)),
  );
  if (view === null || list === null || local === null) return null;
  return { view: view as FleetView, list: list as List, local: local as ControllerLocalView };
}

async function ask(values: OptionValues, limit: number | undefined) {
  const here = await askHere(values, limit);
  if (here !== null) return here;
  const [view, list] = await Promise.all([
    askController(values, "/api/v1/fleet"),
    askController(values, agentsPath(values, limit)),
  ]);
  return { view: view as FleetView, list: list as List, local: null };
}

async function watch(values: OptionValues, limit: number | undefined): Promise<void> {
  let isOver = false;
  let wake = () => {};
  void untilStopped().then(() => {
    isOver = true;
    wake();
  });
  const { stdout } = process;
  await watchFleet({
    output: stdout,
    filter: optionalString(values, "filter") ?? "",
    nowMs: Date.now,
    async ask() {
      const { view, list, local } = await ask(values, limit ?? Math.min(1000, Math.max(1, stdout.rows ?? 20)));
      return { view, local, agents: list.agents, matching: list.matching ?? list.total };
    },
    async next() {
      if (isOver) return false;
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const timer = setTimeout(resolve, everyMs);
      await promise;
      clearTimeout(timer);
      return !isOver;
    },
  });
}

const fleetOptions = ["url", "filter", "sort", "limit"] as const;

/** Shows the agent of this machine, without a key; null: there is none, or the fleet is wanted. */
async function showDevice(values: OptionValues): Promise<number | null> {
  if (fleetOptions.some((name) => name in values) || (hasController() && values["device"] !== true)) {
    if (values["device"] === true)
      throw new UsageError(
        "--device can't be combined with --url, --filter, --sort or --limit, which are for the fleet",
      );
    return null;
  }
  let view = await askDevice();
  if (view === null && values["device"] !== true) return null;
  if (view === null) throw new Error("no agent runs on this machine");
  if (values["watch"] !== true) {
    console.log(values["json"] === true ? JSON.stringify(view, null, 2) : deviceToText(view));
    return 0;
  }
  const stopped = untilStopped();
  for (let isOver = false; !isOver; ) {
    const text = view === null ? "no agent runs on this machine" : deviceToText(view);
    process.stdout.write(process.stdout.isTTY ? `\u001b[H\u001b[J${text}\n` : `${text}\n\n`);
    isOver = await Promise.race([stopped.then(() => true), Bun.sleep(everyMs).then(() => false)]);
    if (!isOver) view = await askDevice();
  }
  return 0;
}

export const statusCommand: Command = {
  summary: "show this machine's agent or, on a controller, the fleet",
  usage: "[--device] [--watch] [--filter FILTER] [--sort NAME] [--limit N] [--url URL] [--json]",
  examples: ["sudo thormesh status", "thormesh status --watch --filter state:offline --url http://controller:7070"],
  optionsOnly: true,
  options: {
    device: { help: "show this machine's agent even if a controller is installed" },
    watch: { help: "refresh every two seconds" },
    filter: { value: "FILTER", help: 'only some agents: "state:offline region:north thor"' },
    sort: { value: "NAME", help: "order of the agents: qps, load, watts, …; -qps: the highest first" },
    limit: { value: "N", help: "at most N agents, 1 to 1000" },
    ...controllerUrlOption,
    json: { help: "print JSON" },
  },
  async run(values) {
    const limit = optionalNumber(values, "limit", { min: 1, max: 1000, integer: true });
    if (values["watch"] === true && values["json"] === true)
      throw new UsageError("--json can't be combined with --watch; GET /api/v1/fleet/stream sends JSON as it changes");
    const shown = await showDevice(values);
    if (shown !== null) return shown;
    if (values["watch"] === true) {
      await watch(values, limit);
      return 0;
    }
    const { view: fleet, list, local } = await ask(values, limit);
    const { agents } = list;
    const asJson = () => JSON.stringify({ fleet, agents, ...(local === null ? {} : { local }) }, null, 2);
    console.log(values["json"] === true ? asJson() : statusToText(fleet, agents, local));
    return 0;
  },
};
