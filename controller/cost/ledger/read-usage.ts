import { dayMs, hourMs } from "#platform/time.ts";
import type { CostQuery, CostStore, RollUps } from "../../store/costs/cost-rows.ts";
import type { MinuteStore } from "../../store/store.ts";
import { FleetUsage } from "../metering/fleet-usage.ts";
import type { TimeWindow } from "../window/parse-window.ts";
import type { CostLedger } from "./cost-ledger.ts";
import { restOfDevices, restOfWork } from "./rest-of-fleet.ts";

export interface UsageParts {
  readonly store: CostStore & Pick<MinuteStore, "minutes">;
  readonly ledger: Pick<CostLedger, "rate">;
  readonly labelsOf: (agentId: string) => Readonly<Record<string, string>>;
  readonly nowMs: () => number;
}

/** Part of a window: lines that are read, or minutes that are rated, as the window cuts their hour. */
export type UsagePart = CostQuery | ({ readonly span: "minute" } & TimeWindow);

const floorTo = (timeMs: number, stepMs: number) => Math.floor(timeMs / stepMs) * stepMs;

/** Adds a part, as one with the last one where it continues. */
function append(parts: UsagePart[], part: UsagePart): void {
  const last = parts.at(-1);
  const isOne =
    last !== undefined &&
    last.span !== "minute" &&
    part.span !== "minute" &&
    last.span === part.span &&
    last.of === part.of;
  if (isOne && last.endMs === part.startMs && part.of === "fleet")
    parts[parts.length - 1] = { ...last, endMs: part.endMs };
  else parts.push(part);
}

/**
 * Splits a window into days and hours that are rolled up, hours that are added up now, and minutes where it cuts an hour. Where minutes (or the
 * agents' hours of a day) are no longer kept, the whole hour (or day) counts if it begins in the window.
 */
function splitWindow(window: TimeWindow, rolls: RollUps, byAgent: boolean, nowMs: number): UsagePart[] {
  const { agentDays, fleetDays, staleHours, oldestHourMs, oldestMinuteMs } = rolls;
  const parts: UsagePart[] = [];
  const days = byAgent ? agentDays : fleetDays;
  const of = byAgent ? "agents" : "fleet";
  // What is still to come has no minutes, so the present hour is whole.
  const endMs = window.endMs >= nowMs ? floorTo(window.endMs + hourMs - 1, hourMs) : window.endMs;
  // The hour of the oldest minute may have lost minutes before it, unless it is the first hour there is.
  const firstMinuteHourMs = oldestMinuteMs === null ? Number.POSITIVE_INFINITY : floorTo(oldestMinuteMs, hourMs);
  const isFirst = oldestHourMs === null || oldestHourMs >= firstMinuteHourMs;
  const firstWholeMs = isFirst ? firstMinuteHourMs : firstMinuteHourMs + hourMs;
  let atMs = window.startMs;
  while (atMs < endMs) {
    const dayStartMs = floorTo(atMs, dayMs);
    const dayEndMs = dayStartMs + dayMs;
    const isOld = byAgent && days.has(dayStartMs) && (oldestHourMs === null || dayEndMs <= oldestHourMs);
    if (isOld && atMs !== dayStartMs) atMs = dayEndMs;
    else if (days.has(dayStartMs) && atMs === dayStartMs && (isOld || dayEndMs <= endMs)) {
      append(parts, { span: "day", startMs: atMs, endMs: dayEndMs, of });
      atMs = dayEndMs;
    } else {
      const hourStartMs = floorTo(atMs, hourMs);
      const hourEndMs = hourStartMs + hourMs;
      const untilMs = Math.min(hourEndMs, endMs);
      const isCut = atMs !== hourStartMs || untilMs !== hourEndMs;
      const hasMinutes = firstWholeMs <= hourStartMs;
      if (isCut && hasMinutes) parts.push({ span: "minute", startMs: atMs, endMs: untilMs });
      else if (atMs === hourStartMs)
        append(parts, {
          ...{ span: "hour", startMs: hourStartMs, endMs: hourEndMs },
          of: byAgent ? "agents" : staleHours.has(hourStartMs) ? "together" : "fleet",
        });
      atMs = hourEndMs;
    }
  }
  return parts;
}

/** Agents that are told apart: all, none (by region alone), or some, beside whom the others of each region are together. */
export type ToldApart = boolean | ReadonlySet<string>;

/** Adds the lines of a part: those of some agents, and of each region what the others cost together. */
async function addApart(
  usage: FleetUsage,
  part: CostQuery,
  { store, rolls, told }: { store: CostStore; rolls: RollUps; told: ReadonlySet<string> },
): Promise<void> {
  const isFresh = part.span === "day" ? rolls.fleetDays.has(part.startMs) : !rolls.staleHours.has(part.startMs);
  const all: CostQuery = { ...part, of: isFresh ? "fleet" : "together" };
  const own: CostQuery = { ...part, of: "agents", agents: [...told] };
  const devices = await store.deviceCosts(own);
  const work = await store.workCosts(own);
  for (const row of devices) usage.addDevice(row);
  for (const row of restOfDevices(await store.deviceCosts(all), devices)) usage.addDevice(row);
  for (const row of work) usage.addWork(row);
  for (const row of restOfWork(await store.workCosts(all), work)) usage.addWork(row);
}

/** Max agents whose lines of several hours or days are added up before others get a turn. */
const agentsAtOnce = 250;

/** Adds the lines of agents in a stretch of hours or days, which the store adds up for some agents at a time. */
async function addStretch(
  usage: FleetUsage,
  stretch: CostQuery,
  starts: readonly number[],
  store: CostStore,
): Promise<void> {
  const found = new Set<string>();
  for (const startMs of starts)
    for (const agentId of await store.agentsWithLines(stretch.span, startMs)) found.add(agentId);
  const all = [...found];
  for (let at = 0; at < all.length; at += agentsAtOnce) {
    const query = { ...stretch, agents: all.slice(at, at + agentsAtOnce) };
    for (const row of await store.deviceCosts(query)) usage.addDevice(row);
    for (const row of await store.workCosts(query)) usage.addWork(row);
    await Bun.sleep(0);
  }
}

/** Joins parts of one length that follow each other. */
function joined(parts: readonly UsagePart[]): { readonly part: UsagePart; readonly starts: readonly number[] }[] {
  const groups: { part: UsagePart; starts: number[] }[] = [];
  for (const part of parts) {
    const last = groups.at(-1);
    const isNext = last !== undefined && part.span !== "minute" && last.part.span === part.span;
    if (isNext && last.part.endMs === part.startMs) {
      last.part = { ...last.part, endMs: part.endMs };
      last.starts.push(part.startMs);
    } else groups.push({ part, starts: [part.startMs] });
  }
  return groups;
}

/** Reads what a window's minutes cost, by agent or by region. */
export async function readUsage(window: TimeWindow, told: ToldApart, parts: UsageParts): Promise<FleetUsage> {
  const { store, ledger, labelsOf } = parts;
  const usage = new FleetUsage(labelsOf);
  const found = await usageParts(window, told !== false, parts);
  if (found === null) return usage;
  const single = () => found.parts.map((part) => ({ part, starts: [part.startMs] }));
  for (const { part, starts } of told === true ? joined(found.parts) : single()) {
    if (part.span === "minute") {
      for await (const minute of store.minutes(part.startMs, part.endMs)) {
        const isTold = typeof told === "boolean" ? told : told.has(minute.agentId);
        usage.addMinute(minute.agentId, ledger.rate(minute), isTold, typeof told !== "boolean");
      }
    } else if (starts.length > 1) {
      await addStretch(usage, part, starts, store);
    } else if (typeof told === "boolean") {
      for (const row of await store.deviceCosts(part)) usage.addDevice(row);
      for (const row of await store.workCosts(part)) usage.addWork(row);
    } else await addApart(usage, part, { store, rolls: found.rolls, told });
    await Bun.sleep(0);
  }
  return usage;
}

/** Parts of a window that has any line; null: it has none. */
export async function usageParts(
  window: TimeWindow,
  byAgent: boolean,
  { store, nowMs }: Pick<UsageParts, "store" | "nowMs">,
): Promise<{ readonly parts: readonly UsagePart[]; readonly rolls: RollUps } | null> {
  const now = nowMs();
  // No line begins later than a day from now.
  const endMs = Math.min(window.endMs, floorTo(now, dayMs) + 3 * dayMs);
  if (endMs <= 0) return null;
  const rolls = await store.rollUps(floorTo(Math.max(0, window.startMs), dayMs), endMs);
  if (rolls.oldestMs === null) return null;
  const startMs = Math.max(floorTo(rolls.oldestMs, dayMs), window.startMs);
  return { parts: splitWindow({ startMs, endMs }, rolls, byAgent, now), rolls };
}
