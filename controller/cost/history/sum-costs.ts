import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import type { Money } from "../money/money.ts";
import { localDay, readZone, startOfDay } from "../window/local-time.ts";
import type { TimeWindow } from "../window/parse-window.ts";
import { type CostCell, type CostHour, costOf } from "./cost-history.ts";

export const costDimensions = ["region", "tenant", "model", "agent"] as const;
export type CostDimension = (typeof costDimensions)[number];

/** Part of the fleet that a budget or a report is about. */
export interface CostScope {
  readonly kind: "fleet" | "region" | "tenant" | "model";
  /** Null for the fleet. */
  readonly name: string | null;
}

/** Value that a cell has of a dimension; null: nobody's (idle). */
export function valueIn(cell: Pick<CostCell, "region" | "tenant" | "model" | "agentId">, of: CostDimension) {
  return of === "agent" ? cell.agentId : cell[of];
}

const isWithin = (cell: CostCell, { kind, name }: CostScope) => kind === "fleet" || valueIn(cell, kind) === name;

/** Cost of a scope in hours. */
export function spentOf(hours: readonly CostHour[], scope: CostScope): Money {
  let sum = 0n;
  for (const { cells } of hours) for (const cell of cells) if (isWithin(cell, scope)) sum += costOf(cell);
  return sum;
}

/** Cost by the values of a dimension; null stands for idle. */
export function spentBy(hours: readonly CostHour[], dimension: CostDimension): Map<string | null, Money> {
  const sums = new Map<string | null, Money>();
  for (const { cells } of hours)
    for (const cell of cells) {
      const value = valueIn(cell, dimension);
      sums.set(value, (sums.get(value) ?? 0n) + costOf(cell));
    }
  return sums;
}

/** Day of the local calendar with its hours. */
export interface CostDay {
  readonly window: TimeWindow;
  readonly hours: readonly CostHour[];
}

/** Groups hours into local days, by time; a day without records is absent. An hour belongs to the day in which it begins. */
export function daysOf(hours: readonly CostHour[], timeZone: string): CostDay[] {
  const offsetAt = readZone(timeZone) ?? (() => 0);
  const days = new Map<number, CostHour[]>();
  for (const hour of hours) {
    const day = localDay(hour.startMs, offsetAt);
    const known = days.get(day);
    if (known === undefined) days.set(day, [hour]);
    else known.push(hour);
  }
  return [...days]
    .sort(([a], [b]) => a - b)
    .map(([day, of]) => ({
      window: { startMs: startOfDay(day, offsetAt), endMs: startOfDay(day + 1, offsetAt) },
      hours: of,
    }));
}

/** Share of the hours that days usually have on record, below which a day is a part of one. */
const wholeShare = 0.8;

/** Leaves out days of which hours are missing: the fleet began within them, or the controller was away. */
export function wholeDaysOf(days: readonly CostDay[]): readonly CostDay[] {
  const counts = days.map(({ hours }) => hours.length).sort((a, b) => a - b);
  // Half of the days have as many hours.
  const usual = counts[counts.length >> 1] ?? 0;
  return days.filter(({ hours }) => hours.length >= wholeShare * usual);
}

/**
 * Hours in which the cost of these hours came together: until now, and of the first one only as many minutes as its agents have on record, since a
 * fleet that has just begun was not there for all of it. 0: there is no hour.
 */
export function hoursOnRecord(hours: readonly CostHour[], nowMs: number): number {
  const [first] = hours;
  if (first === undefined) return 0;
  const agents = new Set(first.cells.map(({ agentId }) => agentId).filter((agentId) => agentId !== ""));
  const firstMs = Math.min(hourMs, nowMs - first.startMs);
  // Agents of large fleets are not told apart.
  const observedMs = agents.size === 0 ? firstMs : (first.observedMinutes * minuteMs) / agents.size;
  const laterMs = Math.max(0, nowMs - first.startMs - hourMs);
  return Math.max(minuteMs, Math.min(firstMs, observedMs) + laterMs) / hourMs;
}

export type Period = "daily" | "weekly" | "monthly";

/** Local day, week (from Sunday) or month that holds a moment. */
export function periodAt(period: Period, nowMs: number, timeZone: string): TimeWindow {
  const offsetAt = readZone(timeZone) ?? (() => 0);
  const today = localDay(nowMs, offsetAt);
  const date = new Date(today * dayMs);
  const month = (of: number) => Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + of, 1) / dayMs;
  // Day 0 was a Thursday.
  const sunday = today - ((today + 4) % 7);
  const [first, end] = {
    daily: [today, today + 1],
    weekly: [sunday, sunday + 7],
    monthly: [month(0), month(1)],
  }[period] as [number, number];
  return { startMs: startOfDay(first, offsetAt), endMs: startOfDay(end, offsetAt) };
}

/** Date of the local calendar at a moment, such as 2026-11-30. */
export function dateOf(timeMs: number, timeZone: string): string {
  const offsetAt = readZone(timeZone) ?? (() => 0);
  return new Date(localDay(timeMs, offsetAt) * dayMs).toISOString().slice(0, 10);
}

/** Month of the local calendar, by a moment or by its name such as 2026-11. */
export function monthOf(of: number | string, timeZone: string): TimeWindow & { readonly month: string } {
  const offsetAt = readZone(timeZone) ?? (() => 0);
  const day =
    typeof of === "number"
      ? localDay(of, offsetAt) * dayMs
      : Date.UTC(Number(of.slice(0, 4)), Number(of.slice(5)) - 1, 1);
  const date = new Date(day);
  const first = (months: number) => Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1) / dayMs;
  return {
    ...{ startMs: startOfDay(first(0), offsetAt), endMs: startOfDay(first(1), offsetAt) },
    month: date.toISOString().slice(0, 7),
  };
}

/** Start of the hour that holds a moment. */
export const hourStart = (timeMs: number) => Math.floor(timeMs / hourMs) * hourMs;
