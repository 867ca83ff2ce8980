import type { EffectView } from "#controller/api/acting/read-effect.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import { type Command, type OptionValues, optionalNumber, optionalString } from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { reasonOf, reasonOption } from "./access/with-controller-store.ts";
import { askController, controllerUrlOption } from "./run/ask-controller.ts";

interface Told {
  readonly isDone: boolean;
  readonly effect: EffectView;
}

interface OverrideList {
  readonly overrides: readonly {
    readonly agentId: string;
    readonly role: string | null;
    readonly powerMode: string | null;
    readonly powerModeCap: string | null;
    readonly expiresAtMs: number;
    readonly waitsFor: string | null;
  }[];
  readonly total: number;
  readonly reached: number;
}

const minutesOption = { min: 0.1, max: 30 * 1440 } as const;

function listToTable({ overrides, total, reached }: OverrideList): string {
  if (total === 0) return "no override is in force";
  const rows = overrides.map(({ agentId, role, powerMode, powerModeCap, expiresAtMs, waitsFor }) => [
    agentId,
    role ?? "-",
    powerMode ?? (powerModeCap === null ? "-" : `<= ${powerModeCap}`),
    new Date(expiresAtMs).toISOString().slice(0, 16).replace("T", " "),
    waitsFor ?? "reached",
  ]);
  return cleanText(
    `${formatTable(["AGENT", "ROLE", "MODE", "UNTIL (UTC)", "STATE"], rows)}\n\n${reached} of ${total} reached`,
  );
}

function orderOf(values: OptionValues): object {
  const role = optionalString(values, "role");
  const powerMode = optionalString(values, "mode");
  const powerModeCap = optionalString(values, "max-mode");
  const minutes = optionalNumber(values, "minutes", minutesOption);
  if (role === undefined && powerMode === undefined && powerModeCap === undefined)
    throw new UsageError("expected --role, --mode or --max-mode");
  if (minutes === undefined) throw new UsageError("--minutes is required");
  return {
    ...(role === undefined ? {} : { role }),
    ...(powerMode === undefined ? {} : { powerMode }),
    ...(powerModeCap === undefined ? {} : { powerModeCap }),
    expiresInS: Math.max(1, Math.round(minutes * 60)),
  };
}

export const overrideCommand: Command = {
  summary: "override the role or power mode of agents for a limited time",
  usage:
    "AGENT… --role active|standby|draining --minutes N [--dry-run]\n       thormesh override AGENT… --mode MODE|--max-mode MODE --minutes N [--dry-run]\n       thormesh override AGENT… --end [--dry-run]\n       thormesh override --list",
  examples: ["thormesh override thor-7 --role standby --minutes 30 --dry-run", "thormesh override thor-7 --end"],
  options: {
    role: { value: "ROLE", help: "active, standby or draining" },
    mode: { value: "MODE", help: "power mode to hold" },
    "max-mode": { value: "MODE", help: "most capable power mode allowed" },
    minutes: { value: "N", help: "end the override after N minutes, at most 30 days" },
    end: { help: "end the overrides of these agents" },
    list: { help: "list the overrides in force, and whether they are reached" },
    ...reasonOption,
    "dry-run": { help: "only show the effect" },
    ...controllerUrlOption,
    json: { help: "print JSON" },
  },
  async run(values, agents) {
    const print = (answer: unknown, text: string) =>
      console.log(values["json"] === true ? JSON.stringify(answer, null, 2) : cleanText(text));
    if (values["list"] === true) {
      if (agents.length > 0 || values["end"] === true)
        throw new UsageError("--list can't be combined with anything else");
      const list = (await askController(values, "/api/v1/overrides")) as OverrideList;
      print(list, listToTable(list));
      return 0;
    }
    if (agents.length === 0) throw new UsageError("expected the ids of agents, or --list");
    const isEnd = values["end"] === true;
    if (isEnd && ["role", "mode", "max-mode", "minutes"].some((name) => values[name] !== undefined))
      throw new UsageError("--end can't be combined with --role, --mode, --max-mode or --minutes");
    const dryRun = values["dry-run"] === true;
    const order = isEnd ? {} : orderOf(values);
    const path = isEnd ? "/api/v1/overrides/end" : "/api/v1/overrides";
    const body = { agents: [...new Set(agents)], ...order, dryRun };
    const told = (await askController(values, path, { method: "POST", body, ...reasonOf(values) })) as Told;
    print(told, told.isDone ? told.effect.text : `dry run, nothing was changed: ${told.effect.text}`);
    return 0;
  },
};
