import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import {
  type Command,
  type OptionValues,
  optionalNumber,
  optionalString,
  unexpectedWord,
} from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { versionPattern } from "#protocol/release/version-order.ts";
import { reasonOf, reasonOption } from "../access/with-controller-store.ts";
import { askController, controllerUrlOption } from "../run/ask-controller.ts";

/** Answer of `/api/v1/rollout`, as far as it is shown. */
export interface RolloutAnswer {
  readonly rollout: {
    readonly version: string;
    readonly state: string;
    readonly reason: string;
    readonly wave: number;
    readonly plan: { readonly waves: readonly unknown[] };
    readonly agents: Readonly<Record<"updated" | "failed" | "underWay" | "unwilling" | "absent" | "waiting", number>>;
    readonly listed: readonly {
      readonly agentId: string;
      readonly wave: number;
      readonly progress: string;
      readonly reason: string | null;
    }[];
  } | null;
}

/** Agents that are shown: those that need a look come first. */
const maxShown = 20;

/** A line on a roll-out, for `thormesh status`, too. */
function rolloutLine({ version, state, wave, plan, agents, reason }: NonNullable<RolloutAnswer["rollout"]>): string {
  const total = Object.values(agents).reduce((sum, count) => sum + count, 0);
  const failed = agents.failed === 0 ? "" : `, ${agents.failed} rolled back`;
  const allow = agents.unwilling === 1 ? "does not allow" : "do not allow";
  const unwilling = agents.unwilling === 0 ? "" : `, ${agents.unwilling} ${allow} updates by the fleet`;
  return cleanText(
    `roll-out of ${version} is ${state}, wave ${wave} of ${plan.waves.length}: ${agents.updated} of ${total} agents run it${failed}${unwilling}; ${reason}`,
  );
}

export function rolloutToText({ rollout }: RolloutAnswer): string {
  if (rollout === null) return "there has been no roll-out yet";
  const shown = rollout.listed.filter(({ progress }) => progress !== "updated").slice(0, maxShown);
  if (shown.length === 0) return rolloutLine(rollout);
  const rows = shown.map(({ agentId, wave, progress, reason }) => [agentId, String(wave), progress, reason ?? "-"]);
  return `${rolloutLine(rollout)}\n\n${formatTable(["AGENT", "WAVE", "PROGRESS", "REASON"], rows)}`;
}

/** Waves as people write them: "10%", "hall-a:50%,100%". */
function parseWaves(text: string): readonly object[] {
  return text.split(",").map((part) => {
    const [, regions, percent] = /^(?:([^:]+):)?(\d{1,3}(?:\.\d+)?)%$/.exec(part.trim()) ?? [];
    const share = Number(percent) / 100;
    if (!(share > 0 && share <= 1))
      throw new UsageError(`--waves: expected waves such as 5%,25%,100% or REGION:50%,100%, got "${part}"`);
    return { share, regions: regions === undefined ? [] : regions.split("+") };
  });
}

/** A window as people write it, in UTC: "22:00-04:00". */
function parseWindow(text: string): object {
  const [, ...parts] = /^(\d\d):(\d\d)-(\d\d):(\d\d)$/.exec(text) ?? [];
  const [fromHour, from, toHour, to] = parts.map(Number) as [number, number, number, number];
  if (parts.length !== 4 || fromHour > 23 || toHour > 23 || from > 59 || to > 59)
    throw new UsageError(`--window: expected a time of day in UTC such as 22:00-04:00, got "${text}"`);
  return { fromMinute: fromHour * 60 + from, toMinute: toHour * 60 + to, days: [] };
}

function planOf(values: OptionValues, version: string | undefined): object {
  if (version === undefined || !new RegExp(versionPattern).test(version) || version.length > 64)
    throw new UsageError(`expected a version such as 1.2.0, got ${version === undefined ? "nothing" : `"${version}"`}`);
  const waves = optionalString(values, "waves");
  const window = optionalString(values, "window");
  const number = (name: string, bounds: Parameters<typeof optionalNumber>[2]) => optionalNumber(values, name, bounds);
  const given = {
    waves: waves === undefined ? undefined : parseWaves(waves),
    window: window === undefined ? undefined : parseWindow(window),
    soakS: number("soak", { min: 0, max: 30 * 86_400, integer: true }),
    maxAtOnce: number("at-once", { min: 1, max: 1000, integer: true }),
    maxFailures: number("max-failures", { min: 0, max: 10_000, integer: true }),
    maxBurnRate: number("max-burn-rate", { min: 0, max: 1000 }),
  };
  return { version, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
}

const actions = ["start", "status", "pause", "resume", "stop"];

export const rolloutCommand: Command = {
  summary: "roll a version out over the fleet, wave by wave",
  usage: `start VERSION [--waves W] [--window T] [options]
       thormesh rollout status|pause|resume|stop [--reason TEXT]`,
  examples: ["thormesh rollout start 0.2.0 --waves lab:100%,10%,100%", "thormesh rollout status"],
  options: {
    waves: {
      only: "start",
      value: "W",
      help: "shares of the fleet or of regions (default: 5%,25%,100%), e.g. lab:100%,hall-a+hall-b:20%,100%",
    },
    window: { only: "start", value: "T", help: "time of day, in UTC, in which updates may begin: 22:00-04:00" },
    soak: { only: "start", value: "SECONDS", help: "time between two waves (default: 600)" },
    "at-once": { only: "start", value: "N", help: "agents at a time, each in a different region (default: 5)" },
    "max-failures": { only: "start", value: "N", help: "halt when more agents than this roll back (default: 0)" },
    "max-burn-rate": {
      only: "start",
      value: "X",
      help: "halt when the fleet's hourly burn rate of the error budget exceeds this",
    },
    ...reasonOption,
    ...controllerUrlOption,
    json: { help: "print JSON" },
  },
  async run(values, [action, version, ...more]) {
    if (!actions.includes(action ?? "")) throw unexpectedWord("start, status, pause, resume or stop", action, actions);
    const superfluous = action === "start" ? more : [version, ...more].filter((word) => word !== undefined);
    if (superfluous.length > 0)
      throw new UsageError(`rollout ${action}: expected nothing more, got "${superfluous.join(" ")}"`);
    const answer = (await askController(
      values,
      action === "start" || action === "status" ? "/api/v1/rollout" : `/api/v1/rollout/${action}`,
      action === "status"
        ? { method: "GET" }
        : { method: "POST", ...reasonOf(values), ...(action === "start" ? { body: planOf(values, version) } : {}) },
    )) as RolloutAnswer;
    console.log(values["json"] === true ? JSON.stringify(answer, null, 2) : rolloutToText(answer));
    return 0;
  },
};
